/** Where objdump and the decoder are known to disagree, each with the reason why the decoder is right. */
import { decode } from '../decoder.ts';
import type { CodeSize, DecodeResult, Instruction } from '../instruction.ts';
import { caseBytes } from './encodings.ts';

export interface Comparison {
  readonly bytes: Uint8Array;
  readonly codeSize: CodeSize;
  /** objdump's text, normalised. */
  readonly text: string;
  /** Ours, normalised. */
  readonly ours: string;
  readonly length: number;
  readonly result: DecodeResult;
}

export interface Difference {
  readonly reason: string;
  applies(c: Comparison): boolean;
}

const legacyPrefixes = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
const mandatoryPrefixes = [0x66, 0xf2, 0xf3];

function isRex(byte: number, codeSize: CodeSize): boolean {
  return codeSize === 64 && (byte & 0xf0) === 0x40;
}

function prefixCount({ bytes, codeSize }: Comparison): number {
  return bytes.findIndex((byte) => !legacyPrefixes.includes(byte) && !isRex(byte, codeSize));
}

/** The same encoding without some prefixes. */
function decodeWithout(c: Comparison, prefixes: readonly number[]): DecodeResult {
  const count = prefixCount(c);
  const kept = [...c.bytes].filter((byte, i) => i >= count || !prefixes.includes(byte));
  const padding = new Array<number>(caseBytes - kept.length).fill(0);
  return decode(Uint8Array.from([...kept, ...padding]), 0, caseBytes, { codeSize: c.codeSize, real: false });
}

function instructionOf(c: Comparison): Instruction | undefined {
  return c.result.kind === 'ok' ? c.result.instruction : undefined;
}

function mnemonic(c: Comparison): string {
  return instructionOf(c)?.row.mnemonic ?? '';
}

/** A branch with its target's low 16 bits alone. */
function lowHalf(text: string): string {
  return text.replace(/0x[0-9a-f]*$/, (target) => `0x${(Number(target) & 0xffff).toString(16)}`);
}

/** Extensions outside the processor model: their encodings are #UD. */
const otherExtensions =
  /^(v(?!er[rw])|k[a-z]+[bwdq]\b|aes|sha|gf2p8|pclmul|bnd|xstore|xcrypt|montmul|xsha|pf|pi2f|pswapd|femms|x(save|rstor)[cs]|a?(add|and|or|xor) .*PTR)/;
const otherInstructions = new Set(
  `encodekey128 encodekey256 loadiwkey enqcmd enqcmds movdir64b movdiri tpause umonitor umwait ptwrite serialize clwb
  clrssbsy incsspd incsspq rdsspd rdsspq rstorssp saveprevssp setssbsy wrssd wrssq wrussd wrussq endbr invept invvpid
  extrq insertq movntss movntsd rsm rdpid getsec monitor mwait monitorx mwaitx clgi stgi skinit invlpga invlpgb tlbsync
  psmash pvalidate rmpadjust rmpupdate rmpquery clzero rdpru mcommit encls enclu enclv pconfig xbegin xabort xend xtest
  xresldtrk xsusldtrk clui stui testui uiret senduipi seamcall seamops seamret tdcall hreset wrmsrlist rdmsrlist wrmsrns
  cldemote lwpval lwpins aadd aand aor axor rdpkru wrpkru
  pavgusb pmulhrw`.split(/\s+/),
);

/** Whether objdump's (normalised) text names an instruction that the processor model lacks. */
export function isOtherExtension(text: string): boolean {
  return otherExtensions.test(text) || otherInstructions.has(text.split(' ')[0] ?? '') || /\btr\d/.test(text);
}

export const differences: readonly Difference[] = [
  {
    reason: 'the instruction belongs to an extension that the processor model does not have',
    applies: (c) => c.result.kind === 'undefined' && isOtherExtension(c.text),
  },
  {
    reason: 'SDM Vol. 2A 2.1.1: LOCK is #UD except with listed instructions and a memory destination',
    applies: (c) => {
      if (c.result.kind !== 'undefined' || !c.bytes.subarray(0, prefixCount(c)).includes(0xf0)) return false;
      const unlocked = decodeWithout(c, [0xf0]);
      if (unlocked.kind !== 'ok') return false;
      return unlocked.instruction.row.lock !== true || unlocked.instruction.registerForm;
    },
  },
  {
    reason: 'SDM Vol. 2A 3.1.1.1: "NP" means that 66, F2 and F3 are #UD; objdump prints them as idle prefixes',
    applies: (c) => {
      if (c.result.kind !== 'undefined') return false;
      const bare = decodeWithout(c, [...mandatoryPrefixes, 0xf0]);
      return bare.kind === 'ok' && bare.instruction.row.prefix === 'NP' && bare.instruction.row.vex === undefined;
    },
  },
  {
    reason: 'segment registers 6 and 7 do not exist, CS cannot be loaded (SDM Vol. 2B MOV); objdump prints "?"',
    applies: (c) => c.result.kind === 'undefined' && (c.text.includes('?') || /^mov cs,/.test(c.text)),
  },
  {
    reason: 'CR1, CR5-CR7, CR9-CR15 and DR8-DR15 do not exist: #UD (SDM Vol. 2B MOV), as an Intel processor showed',
    applies: (c) => c.result.kind === 'undefined' && /\b(cr([1567]|9|1[0-5])|[cd]r([89]|1[0-5]))\b/.test(c.text),
  },
  {
    reason: 'exists in 64-bit mode only on Intel processors (SDM Vol. 2: "Compat/Leg Mode: invalid")',
    applies: (c) =>
      c.codeSize !== 64 && c.result.kind === 'undefined' && /^(syscall|sysret|swapgs|(rd|wr)[fg]sbase)/.test(c.text),
  },
  {
    reason: 'a REX prefix that is not the last one has no effect; the prefixes before it keep theirs. objdump restarts',
    applies: (c) => {
      const prefixes = c.bytes.subarray(0, prefixCount(c));
      return prefixes.subarray(0, -1).some((byte) => isRex(byte, c.codeSize));
    },
  },
  {
    reason: '66 0F 09 and F2 with BSF and BSR: the prefix does nothing, as an Intel processor showed',
    applies: (c) => c.text.includes('(bad)') && ['WBINVD', 'BSF', 'BSR'].includes(mnemonic(c)),
  },
  {
    reason: 'undocumented x87 aliases and SALC; an Intel processor executes them',
    applies: (c) => c.text.includes('(bad)') && /^(FCOMP?|FSTP|FSTPNCE|FXCH|SALC)$/.test(mnemonic(c)),
  },
  {
    reason: 'FRSTPM of the 287 is undefined since the 387; an Intel processor raises #UD',
    applies: (c) => c.result.kind === 'undefined' && c.text.startsWith('frstpm'),
  },
  {
    reason: 'FWAIT is an instruction of its own (SDM Vol. 2B WAIT); objdump merges it with the next',
    applies: (c) => mnemonic(c) === 'FWAIT',
  },
  {
    reason: 'the mask is zero-extended from 32 bits whatever REX.W says (SDM Vol. 2B MOVMSKPS, PMOVMSKB)',
    applies: (c) => /^P?MOVMSK/.test(mnemonic(c)) && instructionOf(c)?.length === c.length,
  },
  {
    reason:
      'F3 selects WRFSBASE and its like, the operand is 32 or 64 bits (SDM Vol. 2D); with an idle 66 objdump prints 16',
    applies: (c) => /^(RD|WR)[FG]SBASE$/.test(mnemonic(c)) && instructionOf(c)?.length === c.length,
  },
  {
    reason: '8F /1-/7 is AMD XOP, #UD elsewhere',
    applies: (c) => c.result.kind === 'undefined' && c.bytes[prefixCount(c)] === 0x8f,
  },
  {
    reason: 'MOVDQ2Q and MOVQ2DQ have one mmx operand; with an idle 66 objdump prints two of a kind',
    applies: (c) => /^MOV(DQ2Q|Q2DQ)$/.test(mnemonic(c)) && instructionOf(c)?.length === c.length,
  },
  {
    reason: '3E with an indirect branch is a segment override where there is no CET; objdump reads NOTRACK',
    applies: (c) => /^(jmp|call)-indirect$/.test(instructionOf(c)?.row.semantics ?? '') && c.bytes.includes(0x3e),
  },
  {
    reason: 'outside 64-bit mode a three-byte VEX ignores vvvv[3] (SDM Vol. 2A 2.3.5.6)',
    applies: (c) => c.codeSize !== 64 && instructionOf(c)?.row.vex === true && c.text.includes('(bad)'),
  },
  {
    reason: 'SDM Vol. 2 LFENCE, MFENCE, SFENCE: the processor ignores the rm field',
    applies: (c) => c.text.includes('(bad)') && /^[LMS]FENCE$/.test(mnemonic(c)),
  },
  {
    reason: '0F 0D: hint NOP in every form but /1 with memory',
    applies: (c) => mnemonic(c) === 'NOP' && /^(prefetch|nop)/.test(c.text),
  },
  {
    reason: 'hint NOPs, on a processor without MPX, CET and CLDEMOTE (SDM Vol. 2B NOP, "reserved NOP")',
    applies: (c) => mnemonic(c) === 'NOP' && /^(bnd|cldemote|rdssp)/.test(c.text),
  },
  {
    reason: 'WBNOINVD is WBINVD on processors without it (SDM Vol. 2D WBNOINVD)',
    applies: (c) => mnemonic(c) === 'WBINVD' && c.text === 'wbnoinvd',
  },
  {
    reason: 'a far pointer is m16:64 with REX.W (SDM Vol. 2A CALL, LSS); objdump prints m16:32',
    applies: (c) => {
      const instruction = instructionOf(c);
      const far = instruction?.row.operandSpecs.some(({ width }) => width === 'p');
      return far === true && instruction?.operandSize === 64 && instruction.length === c.length;
    },
  },
  {
    reason: 'selectors are 16 bits (SDM Vol. 2 LAR, LSL, MOV); objdump prints a register of operand size',
    applies: (c) => {
      const instruction = instructionOf(c);
      if (instruction === undefined || !instruction.registerForm || instruction.length !== c.length) return false;
      return /^(LAR|LSL)$/.test(mnemonic(c)) || instruction.row.semantics === 'mov-to-segment';
    },
  },
  {
    reason: 'UD0 is UD0 r32, r/m32 whatever the operand size (SDM Vol. 2B UD)',
    applies: (c) => mnemonic(c) === 'UD0' && c.text.startsWith('ud0') && instructionOf(c)?.length === c.length,
  },
  {
    reason:
      'with a 16-bit operand size a branch clears the upper half of EIP (SDM Vol. 2A Jcc, LOOP); objdump does not',
    applies: (c) => {
      const instruction = instructionOf(c);
      if (c.codeSize === 64 || instruction?.operandSize !== 16 || instruction.length !== c.length) return false;
      return instruction.row.operands.startsWith('J') && lowHalf(c.ours) === lowHalf(c.text);
    },
  },
  {
    reason: 'REX.W wins over 66: MOVSXD reads 32 bits (SDM Vol. 2B MOVSXD); objdump prints 16',
    applies: (c) => mnemonic(c) === 'MOVSXD' && instructionOf(c)?.operandSize === 64,
  },
  {
    reason: 'an absolute address through SIB without base and index; objdump invents a register for no index',
    applies: (c) => /\[[er]iz\*/.test(c.text) && instructionOf(c)?.length === c.length,
  },
];
