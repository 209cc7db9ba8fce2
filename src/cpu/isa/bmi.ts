/** The VEX-encoded general-register instructions, BMI1 and BMI2 (SDM Vol. 2D A.3, tables ). */
import type { Row } from './row.ts';

// biome-ignore format: one row per line.
export const bmiRows: readonly Row[] = [
  // 0F 38 F2-F7. W is ignored outside 64-bit mode, so the width is y
  { map: 2, opcode: 0xf2, prefix: 'NP', vex: true, mnemonic: 'ANDN', operands: 'Gy,By,Ey', semantics: 'andn', feature: 'bmi1', undefinedFlags: 'AP' },
  { map: 2, opcode: 0xf3, prefix: 'NP', vex: true, ext: 1, mnemonic: 'BLSR', operands: 'By,Ey', semantics: 'blsr', feature: 'bmi1', undefinedFlags: 'AP' },
  { map: 2, opcode: 0xf3, prefix: 'NP', vex: true, ext: 2, mnemonic: 'BLSMSK', operands: 'By,Ey', semantics: 'blsmsk', feature: 'bmi1', undefinedFlags: 'AP' },
  { map: 2, opcode: 0xf3, prefix: 'NP', vex: true, ext: 3, mnemonic: 'BLSI', operands: 'By,Ey', semantics: 'blsi', feature: 'bmi1', undefinedFlags: 'AP' },
  { map: 2, opcode: 0xf5, prefix: 'NP', vex: true, mnemonic: 'BZHI', operands: 'Gy,Ey,By', semantics: 'bzhi', feature: 'bmi2', undefinedFlags: 'AP' },
  { map: 2, opcode: 0xf5, prefix: 'F3', vex: true, mnemonic: 'PEXT', operands: 'Gy,By,Ey', semantics: 'pext', feature: 'bmi2' },
  { map: 2, opcode: 0xf5, prefix: 'F2', vex: true, mnemonic: 'PDEP', operands: 'Gy,By,Ey', semantics: 'pdep', feature: 'bmi2' },
  { map: 2, opcode: 0xf6, prefix: 'F2', vex: true, mnemonic: 'MULX', operands: 'Gy,By,Ey', semantics: 'mulx', feature: 'bmi2' },
  { map: 2, opcode: 0xf7, prefix: 'NP', vex: true, mnemonic: 'BEXTR', operands: 'Gy,Ey,By', semantics: 'bextr', feature: 'bmi1', undefinedFlags: 'SAP' },
  { map: 2, opcode: 0xf7, prefix: '66', vex: true, mnemonic: 'SHLX', operands: 'Gy,Ey,By', semantics: 'shlx', feature: 'bmi2' },
  { map: 2, opcode: 0xf7, prefix: 'F3', vex: true, mnemonic: 'SARX', operands: 'Gy,Ey,By', semantics: 'sarx', feature: 'bmi2' },
  { map: 2, opcode: 0xf7, prefix: 'F2', vex: true, mnemonic: 'SHRX', operands: 'Gy,Ey,By', semantics: 'shrx', feature: 'bmi2' },
  // 0F 3A F0
  { map: 3, opcode: 0xf0, prefix: 'F2', vex: true, mnemonic: 'RORX', operands: 'Gy,Ey,Ib', semantics: 'rorx', feature: 'bmi2' },
];
