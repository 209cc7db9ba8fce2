/**
 * What single instructions want to find in memory: selectors, bounds, far pointers, images, stack frames. Keyed by the
 * table's `semantics` column.
 */
import { anySelector, bytesOf, type Context, farTarget, operandBytes, target } from './hints.ts';
import { fxField, region, selector } from './layout.ts';
import type { Random } from './random.ts';
import { clearUpper, is16BitStack } from './registers.ts';
import { writeF80, writeValues } from './values.ts';

const [RAX, RCX, RDX, RBX, RSP, RBP] = [0, 1, 2, 3, 4, 5] as const;
const data = region.data.address;

const patchSelector = (c: Context, at: bigint): void => c.b.patch(at, bytesOf(BigInt(anySelector(c.rng)), 2));

function farPointer(c: Context, at: bigint): void {
  const size = c.e.operandSize / 8;
  const isTransfer = c.shape.row.semantics.endsWith('-far');
  const to = isTransfer ? farTarget(c) : { offset: c.rng.u64(), selector: anySelector(c.rng) };
  c.b.patch(at, bytesOf(BigInt.asUintN(8 * size, to.offset), size));
  c.b.patch(at + BigInt(size), bytesOf(BigInt(to.selector), 2));
}

function bounds(c: Context, at: bigint): void {
  const size = c.e.operandSize / 8;
  const index = c.b.gpr[c.e.reg] ?? 0n;
  const lower = index + BigInt(c.rng.pick([-1, 0, 0, 1, -100]));
  const upper = index + BigInt(c.rng.pick([-1, 0, 0, 1, 100]));
  if (c.rng.chance(85))
    c.b.patch(
      at,
      bytesOf(BigInt.asUintN(8 * size, lower) | (BigInt.asUintN(8 * size, upper) << BigInt(8 * size)), 2 * size),
    );
}

/** The memory operand equals what is compared with it, half of the time. */
function equalMemory(c: Context, at: bigint, size: number): void {
  if (c.rng.chance(50)) return;
  const low = c.b.gpr[RAX] ?? 0n;
  const half = BigInt(8 * (size / 2));
  const wide = BigInt.asUintN(Number(half), low) | (BigInt.asUintN(Number(half), c.b.gpr[RDX] ?? 0n) << half);
  c.b.patch(at, bytesOf(c.shape.row.semantics === 'cmpxchg' ? low : wide, size));
}

/** An FXSAVE image, mostly one that can be loaded. */
function fxImage(c: Context, at: bigint): void {
  const image = new Uint8Array(512);
  const view = new DataView(image.buffer);
  writeValues(view, 0, 32, 'int', c.rng);
  for (let i = 0; i < 8; i++) writeF80(view, fxField.st + 16 * i, c.rng);
  writeValues(view, fxField.xmm, 256, 'int', c.rng);
  if (c.rng.chance(85)) view.setUint32(fxField.mxcsr, c.rng.u32() & 0xffff, true);
  if (c.rng.chance(50)) view.setBigUint64(fxField.fip, BigInt(c.rng.u32()), true);
  c.b.patch(at, image);
}

function xsaveHeader(c: Context, at: bigint): void {
  const header = new Uint8Array(64);
  header[0] = c.rng.below(4);
  if (c.rng.chance(10)) header[c.rng.pick([1, 7, 8, 16, 23])] = c.rng.pick([1, 0x80]);
  c.b.patch(at + 512n, header);
}

function packedDecimal(c: Context, at: bigint): void {
  const bytes = new Uint8Array(10);
  for (let i = 0; i < 9; i++) bytes[i] = (c.rng.below(10) << 4) | c.rng.below(10);
  bytes[9] = c.rng.pick([0, 0x80]);
  if (c.rng.chance(30)) bytes.fill(0, 1 + c.rng.below(8), 9);
  c.b.patch(at, bytes);
}

type MemoryHint = (c: Context, at: bigint) => void;
const manyMemory = (names: string, hint: MemoryHint): [string, MemoryHint][] =>
  names.split(' ').map((name) => [name, hint]);

/** Run when the memory operand's linear address is known: contents that the instruction wants to find there. */
export const memoryHints: ReadonlyMap<string, MemoryHint> = new Map<string, MemoryHint>([
  ...manyMemory('mov-to-segment lar lsl verr verw arpl', patchSelector),
  ...manyMemory('les lds lss lfs lgs call-far jmp-far', farPointer),
  ...manyMemory('call-indirect jmp-indirect', (c, at) => c.b.patch(at, bytesOf(target(c), c.e.operandSize / 8))),
  ['bound', bounds],
  ['cmpxchg', (c, at) => equalMemory(c, at, operandBytes(c))],
  ['cmpxchg8b', (c, at) => equalMemory(c, at, 8)],
  ['cmpxchg16b', (c, at) => equalMemory(c, at, 16)],
  ['ldmxcsr', (c, at) => c.b.patch(at, bytesOf(BigInt(c.rng.u32()) & (c.rng.chance(85) ? 0xffffn : ~0n), 4))],
  ['fxrstor', fxImage],
  [
    'xrstor',
    (c, at) => {
      fxImage(c, at);
      xsaveHeader(c, at);
    },
  ],
  [
    'fbld',
    (c, at) => {
      if (c.rng.chance(80)) packedDecimal(c, at);
    },
  ],
  ...manyMemory('pcmpestri pcmpestrm pcmpistri pcmpistrm', (c, at) =>
    c.b.patch(
      at,
      Uint8Array.from({ length: 16 }, () => c.rng.pick([0, 0x61, 0x61, 0x62, 0x7a, 0x80])),
    ),
  ),
]);

/** EFLAGS to be popped: all bits may come, IOPL and IF without effect for user code. */
const poppedFlags = (rng: Random): bigint => BigInt(rng.u32() & 0x3f_ffff & (rng.chance(80) ? ~0x4_4100 : ~0));

/** Contents of the stack from its top: where to return to, flags, selectors. */
export function stackContents(c: Context): Uint8Array | undefined {
  const size = c.e.operandSize / 8;
  const slots: bigint[] = [];
  const name = c.shape.row.semantics;
  if (name === 'ret') slots.push(target(c));
  else if (name === 'popf') slots.push(poppedFlags(c.rng));
  else if (name === 'pop' && c.shape.operands[0]?.source === 'fixed') slots.push(BigInt(anySelector(c.rng)));
  else if (name === 'ret-far' || name === 'iret') {
    const to = farTarget(c);
    slots.push(to.offset, BigInt(to.selector));
    if (name === 'iret') slots.push(poppedFlags(c.rng) & ~0x6_0000n);
    if (name === 'iret' && c.e.mode === 64) {
      const ss = c.rng.chance(85)
        ? selector.data
        : c.rng.pick([selector.dataSmall, selector.dataReadOnly, 0, 3, 0x28, 0x63, 0x83]);
      slots.push(BigInt(data + 8 * c.rng.below(0x3ff)), BigInt(ss));
    }
  } else return undefined;
  const bytes = new Uint8Array(size * slots.length);
  slots.forEach((value, i) => {
    bytes.set(bytesOf(BigInt.asUintN(8 * size, value), size), i * size);
  });
  return bytes;
}

/** Sets rSP to a linear address, as the mode and SS have it. */
export function setStackPointer(c: Context, address: bigint): void {
  const { b } = c;
  b.gpr[RSP] = BigInt.asUintN(b.mode === 64 ? 64 : 32, address - b.base(2));
  if (b.mode !== 64 && is16BitStack(b.selectors[2] ?? 0)) clearUpper(b);
}

/** rBP for ENTER and LEAVE: a frame in the stack. */
export function setFramePointer(c: Context, address: bigint): void {
  c.b.gpr[RBP] = BigInt.asUintN(c.b.mode === 64 ? 64 : 32, address - c.b.base(2));
}

/** rCX of a repeated string instruction; what lies above the address size does not count. */
export function setRepeatCount(c: Context): void {
  const { b, e, rng } = c;
  const count = rng.chance(90) ? rng.below(20) : rng.below(80);
  const above = e.addressSize < b.mode && rng.chance(40) ? rng.u64() : 0n;
  b.gpr[RCX] =
    BigInt.asUintN(b.mode === 64 ? 64 : 32, (above >> BigInt(e.addressSize)) << BigInt(e.addressSize)) | BigInt(count);
}

/** rBX and AL of XLAT. */
export function setTranslateTable(c: Context, address: bigint): void {
  const offset = address - c.b.base(c.e.override ? c.e.segment : 3) - ((c.b.gpr[RAX] ?? 0n) & 0xffn);
  c.b.gpr[RBX] = BigInt.asUintN(c.e.addressSize, offset);
}
