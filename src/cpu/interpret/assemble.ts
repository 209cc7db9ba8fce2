/** Decoded instruction → record. */
import { segmentOf } from '../decode/decoder.ts';
import { type Instruction, noRegister, ripBase, segment } from '../decode/instruction.ts';
import type { DecodeState } from '../decode/state.ts';
import { type FieldKind, fieldKind, type RowFacts, rowFacts } from '../isa/row-facts.ts';
import { segmentAt, segmentField, segmentIndex, state } from '../state/layout.ts';
import type { Handlers } from './handlers.ts';
import { record } from './record.ts';

/** State address (or number, for CR, DR, ST) that a register field stands for. */
function registerField(kind: FieldKind, number: number, rex: boolean): number {
  switch (kind) {
    case fieldKind.byte:
      if (!rex && number >= 4 && number < 8) return state.gpr + (number - 4) * 8 + 1;
      return state.gpr + number * 8;
    case fieldKind.vector:
      return state.xmm + number * 16;
    case fieldKind.mmx:
      return state.fpr + (number & 7) * 16;
    case fieldKind.segment:
      return segmentAt(number & 7) + segmentField.selector;
    case fieldKind.number:
      return number;
    case fieldKind.none:
      return -1;
    default:
      return state.gpr + number * 8;
  }
}

/** The segment whose base a memory operand uses: in 64-bit mode only FS and GS have one. */
export function segmentNumber(named: number, long: boolean): number {
  if (!long || named === segment.fs || named === segment.gs) return named;
  return named === segment.ss ? segmentIndex.flatStack : segmentIndex.flat;
}

const registerAddress = (number: number): number =>
  number === noRegister ? state.zero : number === ripBase ? state.codeBase : state.gpr + number * 8;

/** State addresses (or numbers) behind modrm.reg, modrm.rm and VEX.vvvv; vvvv -1 if there is none. */
export function registerFields(instruction: Instruction): { reg: number; rm: number; vvvv: number } {
  const { row, rex } = instruction;
  const facts = rowFacts[row.id] as RowFacts;
  return {
    reg: registerField(facts.reg, instruction.reg, rex),
    rm: registerField(facts.rm, instruction.rm, rex),
    vvvv: registerField(facts.vvvv, instruction.vvvv, rex),
  };
}

/** Writes records into a vCPU's memory. */
export class Assembler {
  readonly #bytes: Uint8Array;
  readonly #words: Uint16Array;
  readonly #ints: Int32Array;

  constructor(memory: ArrayBufferLike) {
    this.#bytes = new Uint8Array(memory);
    this.#words = new Uint16Array(memory);
    this.#ints = new Int32Array(memory);
  }

  /** Writes the record of the instruction in `s`, which starts at `pageOffset` of its page, to `address`. */
  write(address: number, s: DecodeState, facts: RowFacts, pageOffset: number, handler: number, long: boolean): void {
    const bytes = this.#bytes;
    const words = this.#words;
    const ints = this.#ints;
    const word = address >> 1;
    const int = address >> 2;
    const rex = s.rex !== 0;
    words[word + record.handler / 2] = handler;
    bytes[address + record.length] = s.length;
    bytes[address + record.heat] = 0;
    words[word + record.pageOffset / 2] = pageOffset;
    words[word + record.reg / 2] = registerField(facts.reg, s.reg, rex);
    words[word + record.rm / 2] = registerField(facts.rm, s.rm, rex);
    words[word + record.base / 2] = registerAddress(s.base);
    words[word + record.index / 2] = registerAddress(s.index);
    bytes[address + record.scale] = s.scale;
    bytes[address + record.segment] = segmentNumber(segmentOf(s), long);
    if (s.isOffset) {
      ints[int + record.displacement / 4] = s.low;
      ints[int + record.displacement / 4 + 1] = s.high;
    } else {
      const displacement = s.base === ripBase ? s.displacement + pageOffset + s.length : s.displacement;
      ints[int + record.displacement / 4] = displacement;
      ints[int + record.displacement / 4 + 1] = displacement < 0 ? -1 : 0;
    }
    ints[int + record.immediate / 4] = s.isOffset ? 0 : s.low;
    ints[int + record.immediate / 4 + 1] = s.isOffset ? 0 : s.high;
    if (facts.relative) {
      ints[int + record.farLink / 4] = 0;
      ints[int + record.link / 4] = 0;
    } else if (facts.secondImmediate) ints[int + record.immediate2 / 4] = s.immediate2;
    if (facts.vvvv !== fieldKind.none) words[word + record.vvvv / 2] = registerField(facts.vvvv, s.vvvv, rex);
  }

  /**
   * Has the record before that at `address` run both, where there is a handler for them. @param previous handler of the one before; 0 if
   * it had better be left alone @returns the same for the next record
   */
  join(previous: number, address: number, handlers: Pick<Handlers, 'pairOf'>): number {
    const words = this.#words;
    const handler = words[(address + record.handler) >> 1] as number;
    const both = handlers.pairOf(previous, handler);
    if (both === 0) return handler;
    words[(address - record.size + record.handler) >> 1] = both;
    return 0;
  }

  /** Writes a record that no instruction stands behind. */
  writePseudo(address: number, pageOffset: number, handler: number, link: number): void {
    this.#words[(address + record.handler) >> 1] = handler;
    this.#bytes[address + record.length] = 0;
    this.#words[(address + record.pageOffset) >> 1] = pageOffset;
    this.#ints[(address + record.link) >> 2] = link;
    this.#ints[(address + record.farLink) >> 2] = 0;
  }
}
