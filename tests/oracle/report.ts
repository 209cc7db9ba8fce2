/** Mismatches as a person wants to read them. */
import { Buffer } from 'node:buffer';
import { decode } from '../../src/cpu/decode/decoder.ts';
import { disassemble } from '../../src/cpu/decode/disassemble.ts';
import type { Case } from './case.ts';
import { type Difference, flagText, registerNames } from './compare.ts';
import { stateField } from './layout.ts';

function instructionText(c: Case): string {
  const decoded = decode(c.code, 0, c.code.length, { codeSize: c.mode, real: false });
  if (decoded.kind !== 'ok') return `(${decoded.kind})`;
  return disassemble(decoded.instruction, BigInt.asUintN(64, c.state.quad(stateField.rip)));
}

function registersText(c: Case): string {
  const { state } = c;
  const digits = c.mode === 64 ? 16 : 8;
  const count = c.mode === 64 ? 16 : 8;
  const lines: string[] = [];
  for (let i = 0; i < count; i += 4) {
    const row = [i, i + 1, i + 2, i + 3].map(
      (r) => `${(registerNames[r] ?? '').padEnd(3)} ${state.gpr(r).toString(16).padStart(digits, '0')}`,
    );
    lines.push(`    ${row.join('  ')}`);
  }
  const selectors = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'].map(
    (name, i) => `${name} ${state.selector(i).toString(16).padStart(2, '0')}`,
  );
  lines.push(`    ${selectors.join('  ')}  ${flagText(Number(state.quad(stateField.rflags)))}`);
  return lines.join('\n');
}

function patchesText(c: Case): string {
  return c.patches
    .map(({ address, bytes }) => `    ${address.toString(16)}: ${Buffer.from(bytes.subarray(0, 64)).toString('hex')}\n`)
    .join('');
}

/** What there is to know of one case: the instruction, the state before. */
export function caseText(c: Case): string {
  const bytes = Buffer.from(c.code)
    .toString('hex')
    .replace(/(..)(?=.)/g, '$1 ');
  return `  ${c.mode}-bit, at ${c.codeAddress.toString(16)}: ${bytes}   ${instructionText(c)}\n${registersText(c)}\n${patchesText(c)}`;
}

/** The differences as a table. */
export function differenceText(differences: readonly Difference[], expectedName: string, actualName: string): string {
  const header: Difference = { where: '', before: 'before', expected: expectedName, actual: actualName };
  const all = [header, ...differences.slice(0, 20)];
  const width = (key: keyof Difference): number => Math.max(...all.map((d) => d[key].length));
  const widths = { where: width('where'), before: width('before'), expected: width('expected') };
  return all
    .map(
      (d) =>
        `    ${d.where.padEnd(widths.where)}  ${d.before.padEnd(widths.before)}  ${d.expected.padEnd(widths.expected)}  ${d.actual}\n`,
    )
    .join('');
}
