/** Random cases of a table row. Everything follows from row, seed and case number, so that any case can be made again. */
import type { Row } from '../../src/cpu/isa/row.ts';
import { chooseTarget, solveAddress, type TargetRules } from './addressing.ts';
import { CaseBuilder } from './builder.ts';
import type { CaseBatch } from './case.ts';
import { assemble, type Encoding, lengthOf, randomEncoding } from './encoding.ts';
import { type Context, registerHints } from './hints.ts';
import { region, stateField } from './layout.ts';
import {
  memoryHints,
  setFramePointer,
  setRepeatCount,
  setStackPointer,
  setTranslateTable,
  stackContents,
} from './memory-hints.ts';
import { Random } from './random.ts';
import { clearUpper, fillTemplate, randomRegisters } from './registers.ts';
import { type Shape, shapeOf, widthBytes } from './shape.ts';
import { type ValueKind, writeValues } from './values.ts';

const [RSP, RSI, RDI] = [4, 6, 7];
const esSegment = 0;
const dsSegment = 3;

/** Bytes that instructions whose operand says only "memory" access. */
const extents: Readonly<Record<string, number>> = {
  fxsave: 512,
  fxrstor: 512,
  xsave: 576,
  xsaveopt: 576,
  xrstor: 576,
  fnsave: 108,
  frstor: 108,
  fnstenv: 28,
  fldenv: 28,
};
const alignments: Readonly<Record<string, number>> = { fxsave: 16, fxrstor: 16, xsave: 64, xsaveopt: 64, xrstor: 64 };

function modeOf(row: Row, rng: Random): 16 | 32 | 64 {
  if (row.only === 'only64' || (row.w === 1 && row.vex !== true)) return 64;
  const choice = rng.below(20);
  if (row.only === 'not64') return choice < 12 ? 32 : 16;
  return choice < 13 ? 64 : choice < 17 ? 32 : 16;
}

/** Where the instruction lies: anywhere in the middle of the code region, sometimes across a page, rarely off its end. */
function startAddress(length: number, rng: Random): number {
  const { address, size } = region.code;
  if (length > 1 && rng.chance(0.7)) return address + size - 1 - rng.below(length - 1);
  const page = address + 0x1000 * rng.between(4, 11);
  return length > 1 && rng.chance(5) ? page - 1 - rng.below(length - 1) : page + 0x100 + rng.below(0xd00);
}

/**
 * XSAVE and its kin by an address in RAX or RDX: EDX:EAX would name whatever components the host has, and the size of the
 * area would follow.
 */
function isStateMaskAddressed({ row }: Shape, e: Encoding): boolean {
  return (
    /^(xsave|xsaveopt|xrstor)$/.test(row.semantics) &&
    [e.base, e.index].some((register) => register === 0 || register === 2)
  );
}

function memoryKind(shape: Shape): ValueKind {
  if (!shape.usesX87) return shape.kind;
  if (/^FI|^FBLD|^FLDCW/.test(shape.row.mnemonic)) return 'int';
  switch (shape.memory?.width) {
    case 'd':
      return 'f32';
    case 'q':
      return shape.row.mnemonic.startsWith('F') ? 'f64' : 'int';
    case 't':
      return 'f80';
    default:
      return 'int';
  }
}

/** Generates the cases of one row. */
export class Generator {
  readonly shape: Shape;
  readonly #seed: number;
  readonly #template = new CaseBuilder();
  readonly #builder = new CaseBuilder();
  readonly #scratch = new Uint8Array(16);
  readonly #scratchView = new DataView(this.#scratch.buffer);

  constructor(row: Row, table: readonly Row[], seed: number) {
    this.shape = shapeOf(row, table);
    this.#seed = seed;
    fillTemplate(this.#template, new Random(seed, -1, this.shape.id));
  }

  /** Adds case number `index` to `batch`. */
  append(batch: CaseBatch, index: number): void {
    this.#build(index).appendTo(batch);
  }

  /** The case in the one builder that all of them share. */
  #build(index: number): CaseBuilder {
    const { shape } = this;
    const rng = new Random(this.#seed, index, shape.id);
    const b = this.#builder;
    b.bytes.set(this.#template.bytes);
    b.patches = [];
    const mode = modeOf(shape.row, rng);
    let e = randomEncoding(shape, mode, rng);
    while (isStateMaskAddressed(shape, e)) e = randomEncoding(shape, mode, rng);
    randomRegisters(b, e, shape, rng);
    const length = lengthOf(e);
    const start = startAddress(length, rng);
    b.rip = Number(BigInt(start) - b.base(1));
    const c: Context = { shape, e, b, rng, start, length, badTargets: rng.chance(50) };
    registerHints.get(shape.row.semantics)?.(c);
    if (e.repeat) setRepeatCount(c);
    this.#stack(c);
    this.#memoryOperand(c);
    this.#implicitMemory(c);
    if (mode !== 64) clearUpper(b);
    b.code = assemble(e);
    b.quickExit = !shape.branches && start + length <= region.code.address + region.code.size;
    return b;
  }

  #stack(c: Context): void {
    const { shape, b, rng } = c;
    if (!shape.usesStack) {
      if (rng.chance(80)) setStackPointer(c, BigInt(region.data.address + 8 * rng.below(0x400)));
      return;
    }
    const rules: TargetRules = { width: c.e.operandSize / 8, alignment: 8, reach: stackReach(c) };
    const top = chooseTarget(rules, rng);
    setStackPointer(c, top);
    if (/^(enter|leave)$/.test(shape.row.semantics)) setFramePointer(c, chooseTarget(rules, rng));
    const contents = stackContents(c);
    if (contents !== undefined) b.patch(top, contents);
  }

  #randomBytes(length: number, kind: ValueKind, rng: Random, lane: number): Uint8Array {
    const bytes = length <= 16 ? this.#scratch : new Uint8Array(length);
    const view = length <= 16 ? this.#scratchView : new DataView(bytes.buffer);
    writeValues(view, 0, Math.min(length, bytes.length), kind, rng, lane);
    return bytes.subarray(0, length);
  }

  #memoryOperand(c: Context): void {
    const { shape, e, b, rng } = c;
    const moffs = shape.operands.find((o) => o.source === 'O');
    const operand = moffs ?? shape.memory;
    if (operand === undefined || (moffs === undefined && e.rm >= 0)) return;
    const name = shape.row.semantics;
    const width = extents[name] ?? widthBytes(operand.width, e.operandSize, e.addressSize);
    const natural = width & (width - 1) ? 2 : width;
    const rules: TargetRules = {
      width,
      alignment: alignments[name] ?? (width > 16 ? 4 : natural),
      mustAlign: extents[name] !== undefined || (width === 16 && shape.row.unaligned !== true),
      // BOUND may read its second bound only if the index passes the first.
      locked: e.lock || name === 'xchg' || name === 'bound',
      reach: e.mode === 64 && e.addressSize === 64 ? 'anywhere' : 'canonical',
    };
    const segment = moffs !== undefined && !e.override ? dsSegment : e.segment;
    const isStackRelative = shape.usesStack && e.base === RSP;
    const address = isStackRelative ? stackRelative(c, segment) : this.#solve(c, segment, rules);
    if (address === undefined) return;
    const lane = shape.lane <= width ? shape.lane : width;
    if (width <= 16) b.patch(address, this.#randomBytes(width, memoryKindOrOther(shape, rng), rng, lane));
    memoryHints.get(name)?.(c, address);
  }

  /** Chooses a target that the encoding's form can reach and makes it reach it. @returns the linear address */
  #solve(c: Context, segment: number, rules: TargetRules): bigint | undefined {
    const { e, b, rng } = c;
    const next = b.rip + c.length;
    for (let attempt = 0; attempt < 8; attempt++) {
      const address = chooseTarget(
        attempt === 0 || rules.reach !== 'anywhere' ? rules : { ...rules, reach: 'canonical' },
        rng,
      );
      const offset = BigInt.asUintN(e.addressSize, address - b.base(segment));
      if (solveAddress(e, b, offset, next, rng)) return address;
      // RIP-relative and absolute forms cannot make up for a far base.
      if (segment >= 4) this.#nearBase(b, segment);
    }
    throw new Error(
      `${this.shape.id}: no address for ${JSON.stringify(c.e, (_, v) => (typeof v === 'bigint' ? String(v) : v))}`,
    );
  }

  #nearBase(b: CaseBuilder, segment: number): void {
    if ((b.selectors[segment] ?? 0) < 4)
      b.view.setBigUint64(segment === 4 ? stateField.fsBase : stateField.gsBase, 0x1000n, true);
  }

  /** Strings, XLAT and MASKMOV: addresses in fixed registers. */
  #implicitMemory(c: Context): void {
    const { shape, e, b, rng } = c;
    const name = shape.row.semantics;
    const set = (register: number, segment: number, width: number): bigint => {
      const far = e.mode === 64 && e.addressSize === 64 ? 'anywhere' : 'canonical';
      // Whether bytes that the mask leaves out can fault is the CPU's choice.
      const reach = name.startsWith('maskmov') ? 'inside' : far;
      const rules: TargetRules = { width, alignment: Math.max(width, 1), reach };
      const address = chooseTarget(rules, rng);
      b.gpr[register] = BigInt.asUintN(e.addressSize, address - b.base(segment));
      return address;
    };
    const overridden = e.override ? e.segment : dsSegment;
    if (name === 'xlat') setTranslateTable(c, chooseTarget({ width: 1, alignment: 1, reach: 'canonical' }, rng));
    if (name.startsWith('maskmov')) set(RDI, overridden, name === 'maskmovq' ? 8 : 16);
    const strings = shape.operands.filter((o) => o.source === 'X' || o.source === 'Y');
    const areas = strings.map((o) => {
      const width = widthBytes(o.width, e.operandSize, e.addressSize);
      return o.source === 'X' ? set(RSI, overridden, width) : set(RDI, esSegment, width);
    });
    if ((name === 'cmps' || name === 'scas') && rng.chance(70)) equalRuns(c, areas);
  }
}

/** Which of two faults comes first, at the stack or at the target of a transfer, is the CPU's choice: only one at a time. */
function stackReach({ shape, e, badTargets }: Context): TargetRules['reach'] {
  const name = shape.row.semantics;
  if (/^(call|ret|iret)/.test(name) && badTargets) return 'inside';
  // Across the edge of canonical addresses far transfers access their frames in an order of their own.
  return e.mode === 64 && !/-far$|^iret/.test(name) ? 'anywhere' : 'canonical';
}

/** A memory operand by rSP, which already points to where the instruction wants its stack. @returns the linear address */
function stackRelative({ e, b, rng }: Context, segment: number): bigint {
  e.displacement = e.displacementBytes === 0 ? 0n : BigInt(rng.between(-64, 64));
  const index = e.index < 0 ? 0n : BigInt(rng.below(16));
  if (e.index >= 0) b.gpr[e.index] = index;
  return BigInt.asUintN(64, b.base(segment) + (b.gpr[RSP] ?? 0n) + e.displacement + (index << BigInt(e.scale)));
}

/** The same byte all over what a comparing string instruction sees, but for one. */
function equalRuns(c: Context, areas: readonly bigint[]): void {
  const { b, rng } = c;
  const byte = rng.below(256);
  for (const area of areas) b.patch(area - 160n, new Uint8Array(320).fill(byte));
  if (c.shape.row.semantics === 'scas')
    b.gpr[0] = BigInt(byte) * (b.mode === 64 ? 0x0101_0101_0101_0101n : 0x0101_0101n);
  const first = areas[0];
  if (first !== undefined) b.patch(first + BigInt(rng.between(-30, 30)), Uint8Array.of(rng.below(256)));
}

function memoryKindOrOther(shape: Shape, rng: Random): ValueKind {
  return rng.chance(90) ? memoryKind(shape) : 'int';
}

/** A number for `--seed` when none is given. */
export const defaultSeed = 1;
