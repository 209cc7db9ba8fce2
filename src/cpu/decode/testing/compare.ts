/** Compares the decoder and disassembler with objdump's lines. */
import { decode } from '../decoder.ts';
import { disassemble } from '../disassemble.ts';
import type { CodeSize } from '../instruction.ts';
import { differences } from './differences.ts';
import { caseBytes } from './encodings.ts';
import { normalise } from './normalise.ts';
import { type ObjdumpLine, stride } from './objdump.ts';

export interface ComparisonReport {
  readonly agreed: number;
  /** How often each known difference was seen, by reason. */
  readonly explained: ReadonlyMap<string, number>;
  readonly unexplained: readonly string[];
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** objdump printed an instruction at all. */
function isDecoded(text: string): boolean {
  return !text.includes('(bad)');
}

export function compareWithObjdump(
  cases: readonly Uint8Array[],
  lines: readonly ObjdumpLine[],
  codeSize: CodeSize,
): ComparisonReport {
  let agreed = 0;
  const explained = new Map<string, number>();
  const unexplained: string[] = [];
  for (const [i, bytes] of cases.entries()) {
    const line = lines[i] as ObjdumpLine;
    const result = decode(bytes, 0, caseBytes, { codeSize, real: false });
    const ours = result.kind === 'ok' ? disassemble(result.instruction, BigInt(i * stride)) : result.kind;
    const text = normalise(line.text);
    const same =
      result.kind === 'ok'
        ? result.instruction.length === line.length && normalise(ours) === text
        : !isDecoded(line.text);
    if (same) {
      agreed++;
      continue;
    }
    const c = { bytes, codeSize, text, ours: normalise(ours), length: line.length, result };
    const known = differences.find((difference) => difference.applies(c));
    if (known === undefined)
      unexplained.push(`${hexOf(bytes)} | ours: ${ours} | objdump: ${line.text} (${line.length})`);
    else explained.set(known.reason, (explained.get(known.reason) ?? 0) + 1);
  }
  return { agreed, explained, unexplained };
}
