/** Runs binutils' objdump over many independent encodings. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CodeSize } from '../instruction.ts';
import { caseBytes } from './encodings.ts';

const machines: Readonly<Record<CodeSize, string>> = { 16: 'i8086', 32: 'i386', 64: 'i386:x86-64' };

/** Room for the case and for the disassembler to get back in step before the next one. */
export const stride = 2 * caseBytes;
const nop = 0x90;

export interface ObjdumpLine {
  readonly length: number;
  readonly text: string;
}

/** One line per case: the first instruction, with prefixes that objdump prints on lines of their own joined to it. */
export function objdump(cases: readonly Uint8Array[], codeSize: CodeSize): ObjdumpLine[] {
  const blob = new Uint8Array(cases.length * stride).fill(nop);
  for (const [i, bytes] of cases.entries()) blob.set(bytes, i * stride);
  const directory = mkdtempSync(join(tmpdir(), 'corbel-objdump-'));
  try {
    const file = join(directory, 'cases.bin');
    writeFileSync(file, blob);
    const options = [
      '-D',
      '-z',
      '-w',
      '-b',
      'binary',
      '-m',
      machines[codeSize],
      '-M',
      'intel,intel64',
      '--no-show-raw-insn',
    ];
    const output = execFileSync('objdump', [...options, file], { encoding: 'utf8', maxBuffer: 1 << 30 });
    return firstInstructions(output, cases.length);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const lonePrefix =
  /^((rep|repz|repnz|lock|data16|data32|addr16|addr32|[c-gs]s|rex(\.[WRXB]+)?|bnd|notrack|xacquire|xrelease) *)+$/;

function firstInstructions(output: string, count: number): ObjdumpLine[] {
  const texts = new Map<number, string>();
  const addresses: number[] = [];
  for (const match of output.matchAll(/^ *([0-9a-f]+):\t(.*)$/gm)) {
    const address = Number.parseInt(match[1] ?? '', 16);
    texts.set(address, (match[2] ?? '').trim());
    addresses.push(address);
  }
  addresses.push(count * stride);
  const next = new Map(addresses.slice(0, -1).map((address, i) => [address, addresses[i + 1] as number]));
  return Array.from({ length: count }, (_, i) => {
    let address = i * stride;
    const prefixes: string[] = [];
    while (lonePrefix.test(texts.get(address) ?? '')) {
      prefixes.push(texts.get(address) ?? '');
      address = next.get(address) as number;
    }
    const end = next.get(address) as number;
    return { length: end - i * stride, text: [...prefixes, texts.get(address) ?? ''].join(' ') };
  });
}
