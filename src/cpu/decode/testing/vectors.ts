/** objdump's answers for the encodings of one seed, recorded so that hosts without binutils can compare too. */
import { readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import type { CodeSize } from '../instruction.ts';
import type { ObjdumpLine } from './objdump.ts';

export const recordedSeed = 1;

function fileOf(codeSize: CodeSize): URL {
  return new URL(`vectors/objdump-${codeSize}.txt.br`, import.meta.url);
}

export function writeVectors(codeSize: CodeSize, lines: readonly ObjdumpLine[]): void {
  const text = lines.map((line) => `${line.length} ${line.text.replace(/\s+/g, ' ')}`).join('\n');
  writeFileSync(fileOf(codeSize), brotliCompressSync(text));
}

export function readVectors(codeSize: CodeSize): ObjdumpLine[] {
  const lines = brotliDecompressSync(readFileSync(fileOf(codeSize)))
    .toString('utf8')
    .split('\n');
  return lines.map((line) => {
    const space = line.indexOf(' ');
    return { length: Number(line.slice(0, space)), text: line.slice(space + 1) };
  });
}
