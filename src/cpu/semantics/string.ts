/**
 * String instructions: MOVS, STOS, LODS, CMPS, SCAS, with and without REP. Registers are brought up to date after every
 * round, before the next access can fault, so that a fault or an interrupt finds a resumable state (SDM Vol. 2
 * "REP/REPE/REPZ/REPNE/REPNZ"). CMPS and SCAS set their flags when they end: an interrupted one compares on.
 */
import type { Value } from '../../wasm/types.ts';
import type { Bits } from '../emit/emitter.ts';
import { bitsOf, type Form } from '../emit/form.ts';
import { type Ops, rax, rcx, rdi, rsi, type Semantics } from '../emit/ops.ts';
import { segmentIndex, state } from '../state/layout.ts';
import { directionFlagBit } from './flag.ts';
import { operandAt } from './operands.ts';

/** log2 of the elements that a bulk transfer moves in the time of an instruction. */
const bulkElementsPerCost = 5;

/** rSI or rDI of the address size, as an i64 that steps through memory. */
interface Index {
  /** Linear address of the element, checked. */
  linear(): Value;
  /** Moves to the next element, in the register, too. */
  advance(): void;
  /** Its linear address in flat code, where there is nothing to check. */
  flat(): Value;
  /** Moves on by `bytes` (i64) in the direction of DF, in the register, too. */
  skip(bytes: Value): void;
}

interface Element {
  readonly bits: Bits;
  readonly bytes: number;
  /** ± the element size by DF: i64, bound. */
  readonly step: Value;
}

export function elementOf(o: Ops, bits: Bits): Element {
  const bytes = bits / 8;
  const step = o.select(o.eflagsBit(directionFlagBit), o.i64(-bytes), o.i64(bytes));
  return { bits, bytes, step: o.let(step) };
}

function index(o: Ops, x: Form, register: number, element: Element, linearOf: (offset: Value) => Value): Index {
  const size = x.addressSize;
  const position = o.variable('i64', o.extendU(o.gpr(register, size)));
  const moveBy = (bytes: Value): void => {
    o.set(position, o.zeroExtend(o.add(o.get(position), bytes), size));
    o.setGpr(register, size, size === 64 ? o.get(position) : o.wrap(o.get(position)));
  };
  return {
    linear: () => linearOf(o.get(position)),
    flat: () => o.get(position),
    skip: (bytes) => moveBy(o.select(o.eflagsBit(directionFlagBit), o.sub(o.i64(0), bytes), bytes)),
    advance: () => moveBy(element.step),
  };
}

/** DS:rSI; the segment can be overridden. */
export const source = (o: Ops, x: Form, element: Element): Index =>
  index(o, x, rsi, element, (offset) => o.linearOf(offset, element.bytes, 'read'));

/** ES:rDI; the segment cannot be overridden. */
export const destination = (o: Ops, x: Form, element: Element, access: 'read' | 'write'): Index =>
  index(o, x, rdi, element, (offset) =>
    o.linearIn(x.long ? segmentIndex.flat : segmentIndex.es, offset, element.bytes, access),
  );

/** What REP adds around one round. */
interface Repetition {
  /** Registers that a count of 0 zero-extends, see `clearUpperHalves`. */
  readonly cleared: readonly number[];
  /** One element; REPE and REPNE go on while the returned condition holds. */
  readonly round: () => Value | undefined;
  /** After the last round, if there was one. */
  readonly done?: () => void;
  /** Does many rounds at once in flat code: of at most `count` (i64), @returns how many (i64), 0 if that was not possible. */
  readonly bulk?: (count: Value) => Value;
  /** Whether the segments of its operands allow that: i32. */
  readonly allows?: () => Value;
}

export function repeat(o: Ops, x: Form, { cleared, round, done, bulk, allows = () => o.isFlat() }: Repetition): void {
  if (x.repeat === 0) {
    round();
    done?.();
    return;
  }
  const size = x.addressSize;
  const count = o.variable(size === 64 ? 'i64' : 'i32', o.gpr(rcx, size));
  o.if(
    o.isZero(o.get(count)),
    () => clearUpperHalves(o, x, cleared),
    () => {
      repeatCounted(o, () => {
        if (bulk !== undefined && size === (x.long ? 64 : 32)) {
          // While rounds trap one by one, they are done one by one.
          const several = o.gtU(o.loadState32(state.repeatLimit), 1);
          o.if(o.and(several, allows()), () => {
            const moved = o.let(bulk(o.let(o.extendU(o.get(count)))));
            o.charge(o.wrap(o.shrU(moved, bulkElementsPerCost)));
            const rest = o.let(o.sub(o.get(count), size === 64 ? moved : o.wrap(moved)));
            o.set(count, rest);
            o.setGpr(rcx, size, rest);
            o.if(o.isZero(rest), () => o.finish());
          });
        }
        const goOn = round();
        o.set(count, o.sub(o.get(count), 1));
        o.setGpr(rcx, size, o.get(count));
        const left = o.ne(o.get(count), 0);
        return goOn === undefined ? left : o.and(left, goOn);
      });
      done?.();
    },
  );
}

/** Runs `round` while it says so, at most state.repeatLimit times; then restarts the instruction. */
function repeatCounted(o: Ops, round: () => Value): void {
  o.storeState32(state.midRepeat, o.i32(0));
  const limit = o.let(o.loadState32(state.repeatLimit));
  const rounds = o.variable('i32', limit);
  o.block((leave) => {
    o.loop((again) => {
      o.branchIf(o.isZero(round()), leave);
      o.set(rounds, o.sub(o.get(rounds), 1));
      o.branchIf(o.get(rounds), again);
    });
    o.storeState32(state.midRepeat, o.i32(1));
    o.charge(limit);
    o.restart();
  });
  o.charge(o.sub(limit, o.get(rounds)));
}

/** With a 32-bit address size in 64-bit mode, Intel's processors clear upper halves even when there is nothing to do. */
function clearUpperHalves(o: Ops, x: Form, registers: readonly number[]): void {
  if (!x.long || x.addressSize !== 32) return;
  for (const register of [rcx, ...registers]) o.setGpr(register, 32, o.gpr(register, 32));
}

/**
 * How many of `count` elements, from that at `linear` on in the direction of DF, lie in its page, and in that of `other` if
 * given. i64, bound.
 */
function elementsInPage(o: Ops, element: Element, count: Value, linear: Value, other?: Value): Value {
  const { bytes: size } = element;
  const room = (address: Value): Value => {
    const within = o.let(o.and(address, 0xfffn));
    const down = o.select(o.leU(within, BigInt(4096 - size)), o.add(within, BigInt(size)), o.i64(0));
    return o.select(o.eflagsBit(directionFlagBit), down, o.sub(o.i64(4096), within));
  };
  let bytes = o.let(room(linear));
  if (other !== undefined) {
    const second = o.let(room(other));
    bytes = o.let(o.select(o.ltU(bytes, second), bytes, second));
  }
  const fitting = o.let(o.shrU(bytes, Math.log2(size)));
  return o.let(o.select(o.ltU(count, fitting), count, fitting));
}

/** Where a run of `bytes` (i64) begins whose first element, in the direction of DF, lies at `linear`. i64, bound. */
function lowestOf(o: Ops, element: Element, linear: Value, bytes: Value): Value {
  const down = o.sub(o.add(linear, BigInt(element.bytes)), bytes);
  return o.let(o.select(o.eflagsBit(directionFlagBit), down, linear));
}

function movs(o: Ops, x: Form): void {
  const element = elementOf(o, bitsOf(operandAt(x, 0)));
  const from = source(o, x, element);
  const to = destination(o, x, element, 'write');
  repeat(o, x, {
    cleared: [rsi, rdi],
    allows: () => o.and(o.isFlat(), o.operandIsFlat()),
    bulk: (count) => {
      const [source, target] = [from.linear(), o.let(to.flat())];
      const elements = elementsInPage(o, element, count, source, target);
      const bytes = o.let(o.shl(elements, Math.log2(element.bytes)));
      const [low, lowTarget] = [lowestOf(o, element, source, bytes), lowestOf(o, element, target, bytes)];
      const done = o.copyInPage(low, lowTarget, bytes, o.eflagsBit(directionFlagBit));
      const moved = o.let(o.select(done, bytes, o.i64(0)));
      from.skip(moved);
      to.skip(moved);
      return o.shrU(moved, Math.log2(element.bytes));
    },
    round: () => {
      const value = o.loadMemory(from.linear(), element.bytes);
      o.storeMemory(to.linear(), element.bytes, value);
      from.advance();
      to.advance();
      return undefined;
    },
  });
}

function stos(o: Ops, x: Form): void {
  const element = elementOf(o, bitsOf(operandAt(x, 0)));
  const to = destination(o, x, element, 'write');
  const value = o.gpr(rax, element.bits);
  repeat(o, x, {
    cleared: [rdi],
    bulk: (count) => {
      const target = o.let(to.flat());
      const elements = elementsInPage(o, element, count, target);
      const bytes = o.let(o.shl(elements, Math.log2(element.bytes)));
      const low = lowestOf(o, element, target, bytes);
      const filled = o.let(o.select(o.fillInPage(low, bytes, value, element.bytes), bytes, o.i64(0)));
      to.skip(filled);
      return o.shrU(filled, Math.log2(element.bytes));
    },
    round: () => {
      o.storeMemory(to.linear(), element.bytes, value);
      to.advance();
      return undefined;
    },
  });
}

function lods(o: Ops, x: Form): void {
  const element = elementOf(o, bitsOf(operandAt(x, 0)));
  const from = source(o, x, element);
  repeat(o, x, {
    cleared: [],
    round: () => {
      o.setGpr(rax, element.bits, o.loadMemory(from.linear(), element.bytes));
      from.advance();
      return undefined;
    },
  });
}

/** The comparison of CMPS and SCAS: keeps the operands of the last round for the flags. */
function comparison(
  o: Ops,
  x: Form,
  bits: Bits,
): { compare: (a: Value, b: Value) => Value | undefined; done: () => void } {
  const type = bits === 64 ? 'i64' : 'i32';
  const left = o.variable(type);
  const right = o.variable(type);
  return {
    compare: (a, b) => {
      o.set(left, a);
      o.set(right, b);
      if (x.repeat === 0) return undefined;
      const equal = o.eq(o.get(left), o.get(right));
      return x.repeat === 0xf3 ? equal : o.isZero(equal);
    },
    done: () => o.setFlagsSub(bits, o.get(left), o.get(right), o.let(o.sub(o.get(left), o.get(right)))),
  };
}

/** CMPS: flags of [DS:rSI] - [ES:rDI]. */
function cmps(o: Ops, x: Form): void {
  const element = elementOf(o, bitsOf(operandAt(x, 0)));
  const first = source(o, x, element);
  const second = destination(o, x, element, 'read');
  const { compare, done } = comparison(o, x, element.bits);
  repeat(o, x, {
    cleared: [],
    round: () => {
      // Where both would fault, ES:rDI does.
      const right = o.loadMemory(second.linear(), element.bytes);
      const goOn = compare(o.loadMemory(first.linear(), element.bytes), right);
      first.advance();
      second.advance();
      return goOn;
    },
    done,
  });
}

/** SCAS: flags of the accumulator - [ES:rDI]. */
function scas(o: Ops, x: Form): void {
  const element = elementOf(o, bitsOf(operandAt(x, 0)));
  const second = destination(o, x, element, 'read');
  const accumulator = o.gpr(rax, element.bits);
  const { compare, done } = comparison(o, x, element.bits);
  repeat(o, x, {
    cleared: [],
    round: () => {
      const goOn = compare(accumulator, o.loadMemory(second.linear(), element.bytes));
      second.advance();
      return goOn;
    },
    done,
  });
}

export const strings = { movs, stos, lods, cmps, scas } as const satisfies Record<string, Semantics>;
