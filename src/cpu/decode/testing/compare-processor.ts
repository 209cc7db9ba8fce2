/** Compares the decoder with a processor's answers, in 64-bit mode. */
import { decode } from '../decoder.ts';
import type { DecodeResult } from '../instruction.ts';
import { isOtherExtension } from './differences.ts';
import { caseBytes } from './encodings.ts';
import { normalise } from './normalise.ts';
import type { ObjdumpLine } from './objdump.ts';
import { isProbeable, type ProcessorAnswer } from './processor.ts';

export interface ProbedCase {
  readonly bytes: Uint8Array;
  /** objdump's line for it, which names extensions that the recording processor has and the model lacks. */
  readonly line: ObjdumpLine;
}

export function probeableCases(cases: readonly Uint8Array[], lines: readonly ObjdumpLine[]): ProbedCase[] {
  return cases.map((bytes, i) => ({ bytes, line: lines[i] as ObjdumpLine })).filter(({ bytes }) => isProbeable(bytes));
}

/** CLAC and STAC are #UD above CPL 0, the UD instructions everywhere. */
const undefinedForUsers = ['ud', 'clac', 'stac'];

function agrees(result: DecodeResult, answer: ProcessorAnswer): boolean {
  switch (result.kind) {
    case 'ok':
      if (answer.outcome === 'ud') return undefinedForUsers.includes(result.instruction.row.semantics);
      return answer.length === result.instruction.length;
    case 'undefined':
      return answer.outcome === 'ud';
    default:
      return answer.outcome === 'gp' && answer.length >= 15;
  }
}

/** @returns a line for every case where the processor did something that the decoder cannot lead to. */
export function compareWithProcessor(cases: readonly ProbedCase[], answers: readonly ProcessorAnswer[]): string[] {
  const disagreements: string[] = [];
  for (const [i, { bytes, line }] of cases.entries()) {
    const answer = answers[i] as ProcessorAnswer;
    const result = decode(bytes, 0, caseBytes, { codeSize: 64, real: false });
    if (agrees(result, answer)) continue;
    if (result.kind === 'undefined' && isOtherExtension(normalise(line.text))) continue;
    const hex = Buffer.from(bytes).toString('hex');
    const ours = result.kind === 'ok' ? `${result.instruction.row.mnemonic} ${result.instruction.length}` : result.kind;
    disagreements.push(`${hex} | ours: ${ours} | processor: ${answer.length} ${answer.outcome} | ${line.text}`);
  }
  return disagreements;
}
