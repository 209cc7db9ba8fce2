/**
 * What single instructions need so that their cases are interesting: quotients that fit, counts that matter, selectors
 * that exist, stack frames to return through. Keyed by the table's `semantics` column.
 */
import type { CaseBuilder } from './builder.ts';
import type { Encoding } from './encoding.ts';
import { fxField, region, segmentBase, selector } from './layout.ts';
import type { Random } from './random.ts';
import { clearUpper } from './registers.ts';
import { type Shape, widthBytes } from './shape.ts';

export interface Context {
  readonly shape: Shape;
  readonly e: Encoding;
  readonly b: CaseBuilder;
  readonly rng: Random;
  /** Linear address and length of the instruction. */
  readonly start: number;
  readonly length: number;
  /** Transfers may go where they fault. */
  readonly badTargets: boolean;
}

const [RAX, RCX, RDX, RSP] = [0, 1, 2, 4] as const;
const code = region.code.address;
const unmappedCode = 0x7000_0000;
const forbiddenInterrupt = 0x80n;

export const bytesOf = (value: bigint, count: number): Uint8Array => {
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = Number((value >> BigInt(8 * i)) & 0xffn);
  return bytes;
};

export const operandBytes = (c: Context): number => {
  const first = c.shape.memory ?? c.shape.operands[0];
  return first === undefined ? c.e.operandSize / 8 : widthBytes(first.width, c.e.operandSize, c.e.addressSize);
};

/** A linear address in the code region, clear of the instruction itself. */
function landing(c: Context): number {
  const page = c.start >> 12;
  for (;;) {
    const address = code + 0x100 + c.rng.below(region.code.size - 0x200);
    const at = address >> 12;
    if (at < page - 1 || at > page + 1) return address;
  }
}

/** Offset to jump to in the current code segment: nearly always in the code region. */
export function target(c: Context): bigint {
  if (c.e.mode === 64 && c.badTargets && c.rng.chance(8))
    return c.rng.pick([0x8000_0000_0000n, 0xffff_7fff_ffff_ffffn, 0x8000_0000_0000_0000n]);
  const address = c.rng.chance(5) ? unmappedCode + c.rng.below(0x1000) : landing(c);
  return BigInt.asUintN(c.e.mode === 64 ? 64 : 32, BigInt(address) - (c.e.mode === 64 ? 0n : c.b.base(1)));
}

const goodCode = [
  selector.code64,
  selector.code32,
  selector.code16,
  selector.code32Based,
  selector.codeExecuteOnly,
] as const;
const goodData = [
  selector.data,
  selector.data16Middle,
  selector.data16Top,
  selector.dataSmall,
  selector.dataExpandDown,
] as const;
const oddSelectors = [
  0, 1, 2, 3, 0x08, 0x0b, 0x10, 0x18, 0x20, 0x28, 0x2a, 0x30, 0x63, 0x07, 0x04, 0x0c, 0x25, 0x3f, 0x3c, 0x27, 0x4f,
  0x83, 0x100, 0x804, 0xffff,
] as const;

/** Any selector that does not depend on the host: valid ones, null, wrong privilege, absent, beyond the limits. */
export function anySelector(rng: Random): number {
  const choice = rng.below(10);
  if (choice < 4) return rng.pick(goodData);
  if (choice < 6) return rng.pick(goodCode);
  return rng.pick(oddSelectors);
}

/**
 * CS of a far transfer. Between 64-bit and other code the stack is used partly as the old mode and partly as the new one
 * has it; that is not documented, and shows only when SS is not flat.
 */
function codeSelector(c: Context): number {
  const current = c.b.selectors[1] ?? 0;
  if (c.rng.chance(40)) return current;
  const chosen = c.badTargets && c.rng.chance(30) ? anySelector(c.rng) : c.rng.pick(goodCode);
  const changes = (chosen === selector.code64) !== (c.e.mode === 64);
  return changes && c.b.selectors[2] !== selector.data ? current : chosen;
}

/** Offset and selector of a far transfer that lands in the code region if the selector allows it. */
export function farTarget(c: Context): { offset: bigint; selector: number } {
  const chosen = codeSelector(c);
  const base = chosen === selector.code64 ? 0 : segmentBase(chosen);
  const address = c.badTargets && c.rng.chance(10) ? unmappedCode : landing(c);
  return { offset: BigInt.asUintN(64, BigInt(address - base)), selector: chosen };
}

function setLow(b: CaseBuilder, register: number, value: number, bytes: number): void {
  const keep = BigInt.asUintN(64, -1n << BigInt(8 * bytes));
  b.gpr[register] = ((b.gpr[register] ?? 0n) & keep) | BigInt.asUintN(8 * bytes, BigInt(value));
  if (b.mode !== 64) clearUpper(b);
}

function smallDividend(c: Context, signed: boolean): void {
  if (c.rng.chance(25)) return;
  const size = operandBytes(c);
  const high = c.rng.pick([0, 0, 0, 1, c.rng.below(100), signed ? -1 : 2, signed ? -1 - c.rng.below(50) : 3]);
  if (size === 1) setLow(c.b, RAX, (high << 8) | c.rng.below(256), 2);
  else setLow(c.b, RDX, high, size);
}

const interestingCounts = [0, 1, 2, 7, 8, 9, 15, 16, 17, 18, 24, 31, 32, 33, 34, 63, 64, 65, 127, 128, 255] as const;

function shiftCount(c: Context): void {
  const count = c.rng.chance(60) ? c.rng.pick(interestingCounts) : c.rng.below(256);
  setLow(c.b, RCX, count, 1);
  for (const immediate of c.e.immediates) immediate.value = BigInt(count);
}

/** Bit offsets of a memory operand reach around it, but stay near. */
function bitOffset(c: Context): void {
  if (c.e.rm >= 0 || c.e.immediates.length > 0) return;
  setLow(c.b, c.e.reg, c.rng.between(-3000, 3000), c.e.operandSize / 8);
}

function loopCount(c: Context): void {
  c.b.gpr[RCX] = BigInt(c.rng.below(4));
  if (c.rng.chance(30) && c.e.addressSize < c.e.mode) setLow(c.b, RCX, c.rng.below(3), c.e.addressSize / 8);
  if (c.rng.chance(20)) c.b.gpr[RCX] = c.rng.u64();
  if (c.b.mode !== 64) clearUpper(c.b);
}

/** Displacement of a relative jump: into the code region, not into the instruction itself. */
function relative(c: Context): void {
  const immediate = c.e.immediates[0];
  if (immediate === undefined) return;
  const next = c.start + c.length;
  let distance = landing(c) - next;
  if (immediate.bytes === 1)
    distance = c.rng.chance(50) ? c.rng.below(128) : -c.length - 1 - c.rng.below(128 - c.length);
  else if (c.badTargets && c.rng.chance(8)) distance = unmappedCode - next;
  immediate.value = BigInt.asUintN(8 * immediate.bytes, BigInt(distance));
}

function indirectRegister(c: Context): void {
  if (c.e.rm >= 0 && c.e.rm !== RSP) c.b.gpr[c.e.rm] = target(c);
}

function selectorRegister(c: Context): void {
  if (c.e.rm < 0) return;
  setLow(c.b, c.e.rm, anySelector(c.rng), 2);
  if (c.rng.chance(50) && c.shape.row.semantics === 'arpl') setLow(c.b, c.e.reg, c.rng.u32() & 0xffff, 2);
}

function equalAccumulator(c: Context): void {
  if (c.rng.chance(50) && c.e.rm >= 0) c.b.gpr[RAX] = c.b.gpr[c.e.rm] ?? 0n;
}

/** Explicit string lengths, and few different characters. */
function stringCompare(c: Context): void {
  for (const register of [RAX, RDX])
    if (c.rng.chance(85)) setLow(c.b, register, c.rng.between(-20, 20), c.e.operandSize === 64 ? 8 : 4);
  if (c.rng.chance(20)) return;
  for (const register of [c.e.reg, c.e.rm]) {
    if (register < 0) continue;
    const at = c.b.fx.byteOffset + fxField.xmm + 16 * register;
    for (let i = 0; i < 16; i++) c.b.bytes[at + i] = c.rng.pick([0, 0x61, 0x61, 0x62, 0x7a, 0x80]);
  }
}

/** A mask that selects at least one byte: whether one that selects none can fault is the CPU's choice. */
function byteMask({ shape, e, b, rng }: Context): void {
  const top = (b.getFx(fxField.fsw) >> 11) & 7;
  const isMmx = shape.row.semantics === 'maskmovq';
  // The area holds ST(0)–ST(7); MMX registers are the physical ones.
  const register = isMmx ? fxField.st + 16 * ((e.rm - top) & 7) : fxField.xmm + 16 * e.rm;
  const at = register + rng.below(isMmx ? 8 : 16);
  b.fx[at] = (b.fx[at] ?? 0) | 0x80;
}

function fill(c: Context, ...values: number[]): void {
  c.e.immediates.forEach((immediate, i) => {
    immediate.value = BigInt.asUintN(8 * immediate.bytes, BigInt(values[i] ?? 0));
  });
}

function baseAddress(c: Context): void {
  if (c.e.rm >= 0 && c.rng.chance(80)) c.b.gpr[c.e.rm] = BigInt.asUintN(64, BigInt.asIntN(48, c.rng.u64()));
}

function far(c: Context): void {
  const [offset, segment] = c.e.immediates;
  if (offset === undefined || segment === undefined) return;
  const to = farTarget(c);
  offset.value = BigInt.asUintN(8 * offset.bytes, to.offset);
  segment.value = BigInt(to.selector);
}

function interrupt(c: Context): void {
  const immediate = c.e.immediates[0];
  if (immediate === undefined) return;
  if (c.rng.chance(40)) immediate.value = BigInt(c.rng.pick([0, 1, 2, 3, 4, 5, 8, 13, 14, 0x20, 0xff]));
  // A system call of the host.
  if (immediate.value === forbiddenInterrupt) immediate.value = 0x81n;
}

/** x87 and SSE only: other state is the host's, and this process's protection keys are among it. */
function stateComponents(c: Context): void {
  setLow(c.b, RAX, c.rng.below(4), 4);
  setLow(c.b, RDX, 0, 4);
}

type Hint = (c: Context) => void;
const many = (names: string, hint: Hint): [string, Hint][] => names.split(' ').map((name) => [name, hint]);

/** Run when registers are random and before addresses are solved. */
export const registerHints: ReadonlyMap<string, Hint> = new Map<string, Hint>([
  ['div', (c) => smallDividend(c, false)],
  ['idiv', (c) => smallDividend(c, true)],
  ...many('shl shr sar rol ror rcl rcr shld shrd', shiftCount),
  ...many('bt bts btr btc', bitOffset),
  ...many('loop loope loopne jcxz', (c) => {
    loopCount(c);
    relative(c);
  }),
  ...many('jcc jmp call', relative),
  ...many('call-indirect jmp-indirect', indirectRegister),
  ...many('call-far jmp-far', far),
  ...many('mov-to-segment lar lsl verr verw arpl', selectorRegister),
  ['cmpxchg', equalAccumulator],
  ...many('pcmpestri pcmpestrm pcmpistri pcmpistrm', stringCompare),
  [
    'enter',
    (c) =>
      fill(
        c,
        c.rng.chance(85) ? c.rng.below(64) : c.rng.below(0x10000),
        c.rng.chance(60) ? c.rng.below(3) : c.rng.below(256),
      ),
  ],
  ...many('ret ret-far', (c) => fill(c, c.rng.chance(70) ? c.rng.below(128) : c.rng.below(0x10000))),
  ...many('wrfsbase wrgsbase', baseAddress),
  ['int', interrupt],
  ...many('maskmovq maskmovdqu', byteMask),
  ...many('xsave xsaveopt xrstor', stateComponents),
  ['xgetbv', (c) => setLow(c.b, RCX, c.rng.chance(60) ? 0 : 2 + c.rng.below(100), 4)],
]);
