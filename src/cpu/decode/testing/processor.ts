/** Asks this host's processor for instruction lengths (x86-64 Linux with gcc), and reads recorded answers. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';

/** `length` bytes were fetched before the instruction ran (`ok`) or raised something. */
export interface ProcessorAnswer {
  readonly length: number;
  readonly outcome: 'ok' | 'ud' | 'gp' | 'pf' | 'fpe' | 'bus';
}

const vectors = new URL('vectors/processor-64.txt.br', import.meta.url);
const fs = 0x64;
const prefixes = [0x26, 0x2e, 0x36, 0x3e, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];

/** Interrupts, far transfers, segment loads, POPF; group FF has far branches. */
const unsafe = [0x8e, 0x9d, 0xca, 0xcb, 0xcc, 0xcd, 0xcf, 0xf1, 0xf4, 0xff];
/** SYSCALL, SYSENTER, POP FS and GS, LSS and its like; group AE loads FPU state and FS. */
const unsafe0f = [0x05, 0x34, 0xa1, 0xa9, 0xae, 0xb2, 0xb4, 0xb5];

/** Whether the probe survives the encoding. */
export function isProbeable(bytes: Uint8Array): boolean {
  const opcode = bytes.findIndex((byte) => !prefixes.includes(byte) && (byte & 0xf0) !== 0x40);
  const [first = 0, second = 0] = bytes.subarray(opcode);
  return first !== fs && !unsafe.includes(first) && !(first === 0x0f && unsafe0f.includes(second));
}

/** Runs the probe on this processor. @returns one answer per case. */
export function askProcessor(cases: readonly Uint8Array[]): ProcessorAnswer[] {
  const directory = mkdtempSync(join(tmpdir(), 'corbel-probe-'));
  try {
    const [program, input, output] = [join(directory, 'probe'), join(directory, 'in'), join(directory, 'out')];
    const source = fileURLToPath(new URL('length-probe.c', import.meta.url));
    execFileSync('gcc', ['-O1', '-fno-stack-protector', '-o', program, source], { stdio: 'inherit' });
    writeFileSync(input, Buffer.concat(cases));
    execFileSync(program, [input, output], { timeout: 120_000 });
    return parse(readFileSync(output, 'utf8'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function parse(text: string): ProcessorAnswer[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [length = '', outcome = ''] = line.split(' ');
      return { length: Number(length), outcome: outcome as ProcessorAnswer['outcome'] };
    });
}

export function writeProcessorVectors(answers: readonly ProcessorAnswer[]): void {
  const text = answers.map(({ length, outcome }) => `${length} ${outcome}`).join('\n');
  writeFileSync(vectors, brotliCompressSync(text));
}

export function readProcessorVectors(): ProcessorAnswer[] {
  return parse(brotliDecompressSync(readFileSync(vectors)).toString('utf8'));
}
