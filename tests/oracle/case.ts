/** Cases and results in memory: the binary batches that executors take and give, and views of single records. */
import {
  basePattern,
  batchHeaderSize,
  batchMagic,
  caseField,
  codeSize,
  fallsThrough,
  region,
  resultField,
  segmentBase,
  stateField,
} from './layout.ts';

/** Bytes at a linear address. */
export interface Patch {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Named access to a state inside a larger buffer. */
export class StateView {
  readonly view: DataView;
  readonly at: number;

  constructor(view: DataView, at: number) {
    this.view = view;
    this.at = at;
  }

  gpr(register: number): bigint {
    return this.view.getBigUint64(this.at + stateField.gpr + 8 * register, true);
  }

  setGpr(register: number, value: bigint): void {
    this.view.setBigUint64(this.at + stateField.gpr + 8 * register, value, true);
  }

  /** Any of the 64-bit fields of `stateField`. */
  quad(field: number): bigint {
    return this.view.getBigUint64(this.at + field, true);
  }

  setQuad(field: number, value: bigint): void {
    this.view.setBigUint64(this.at + field, value, true);
  }

  /** By segment register number: ES, CS, SS, DS, FS, GS. */
  selector(segment: number): number {
    return this.view.getUint16(this.at + stateField.selectors + 2 * segment, true);
  }

  setSelector(segment: number, value: number): void {
    this.view.setUint16(this.at + stateField.selectors + 2 * segment, value, true);
  }

  get vector(): number {
    return this.view.getUint8(this.at + stateField.vector);
  }

  set vector(value: number) {
    this.view.setUint8(this.at + stateField.vector, value);
  }

  get error(): number {
    return this.view.getUint32(this.at + stateField.error, true);
  }

  set error(value: number) {
    this.view.setUint32(this.at + stateField.error, value, true);
  }

  /** The FXSAVE area, aliased. */
  get fx(): Uint8Array {
    return new Uint8Array(this.view.buffer, this.view.byteOffset + this.at + stateField.fx, 512);
  }

  /** All bytes, aliased. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.view.buffer, this.view.byteOffset + this.at, stateField.size);
  }
}

/** A growing file of records, with room for a header in front. */
class RecordFile {
  bytes: Uint8Array;
  view: DataView;
  length = batchHeaderSize;
  readonly offsets: number[] = [];

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Starts a record of `size` bytes, zero-filled. @returns its offset */
  begin(size: number): number {
    const at = this.length;
    if (at + size > this.bytes.length) {
      const grown = new Uint8Array(2 * (at + size));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = grown;
      this.view = new DataView(grown.buffer);
    }
    this.length = at + size;
    this.offsets.push(at);
    return at;
  }

  /** The file: header and records. */
  finish(): Uint8Array {
    this.view.setUint32(0, batchMagic, true);
    this.view.setUint32(4, this.offsets.length, true);
    return this.bytes.subarray(0, this.length);
  }
}

const patchHeaderSize = 8;
const patchSize = (length: number): number => patchHeaderSize + ((length + 7) & ~7);

function writePatches(view: DataView, start: number, patches: readonly Patch[]): void {
  let at = start;
  for (const { address, bytes } of patches) {
    view.setUint32(at, address, true);
    view.setUint32(at + 4, bytes.length, true);
    new Uint8Array(view.buffer, view.byteOffset).set(bytes, at + patchHeaderSize);
    at += patchSize(bytes.length);
  }
}

function readPatches(bytes: Uint8Array, view: DataView, start: number, count: number): Patch[] {
  const patches: Patch[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    const length = view.getUint32(at + 4, true);
    const from = at + patchHeaderSize;
    patches.push({ address: view.getUint32(at, true), bytes: bytes.subarray(from, from + length) });
    at += patchSize(length);
  }
  return patches;
}

const sizeOfPatches = (patches: readonly Patch[]): number =>
  patches.reduce((sum, p) => sum + patchSize(p.bytes.length), 0);

/** One case of a batch. */
export interface Case {
  readonly state: StateView;
  readonly code: Uint8Array;
  /** Linear address of `code`. Bytes beyond the end of `region.code` are not there. */
  readonly codeAddress: number;
  readonly mode: 16 | 32 | 64;
  readonly fallsThrough: boolean;
  readonly patches: readonly Patch[];
}

/** Cases to execute, in the format of native.c. */
export class CaseBatch {
  readonly #file: RecordFile;

  constructor(capacity = 1 << 20) {
    this.#file = new RecordFile(capacity);
  }

  get count(): number {
    return this.#file.offsets.length;
  }

  /** Adds a case. `state` holds `stateField.size` bytes. */
  append(state: Uint8Array, code: Uint8Array, quickExit: boolean, patches: readonly Patch[]): void {
    const size = caseField.size + sizeOfPatches(patches);
    const at = this.#file.begin(size);
    const { bytes, view } = this.#file;
    bytes.set(state, at);
    bytes[at + caseField.codeLength] = code.length;
    bytes.set(code, at + caseField.code);
    view.setUint32(at + caseField.flags, quickExit ? fallsThrough : 0, true);
    view.setUint32(at + caseField.patchCount, patches.length, true);
    view.setUint32(at + caseField.recordSize, size, true);
    writePatches(view, at + caseField.size, patches);
  }

  case(index: number): Case {
    const { bytes, view, offsets } = this.#file;
    const at = offsets[index];
    if (at === undefined) throw new Error(`no case ${index}`);
    const state = new StateView(view, at);
    const cs = state.selector(1);
    const code = at + caseField.code;
    return {
      state,
      code: bytes.subarray(code, code + view.getUint8(at + caseField.codeLength)),
      codeAddress: segmentBase(cs) + Number(state.quad(stateField.rip)),
      mode: codeSize(cs),
      fallsThrough: (view.getUint32(at + caseField.flags, true) & fallsThrough) !== 0,
      patches: readPatches(bytes, view, at + caseField.size, view.getUint32(at + caseField.patchCount, true)),
    };
  }

  /** The batch as native.c reads it. */
  file(): Uint8Array {
    return this.#file.finish();
  }
}

/** What executing a batch gave; result i belongs to case i. */
export class Results {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #offsets: number[] = [];

  /** @throws if `bytes` is not a complete result file. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < batchHeaderSize || this.#view.getUint32(0, true) !== batchMagic)
      throw new Error('not a result file');
    const count = this.#view.getUint32(4, true);
    let at = batchHeaderSize;
    for (let i = 0; i < count; i++) {
      if (at + resultField.size > bytes.length) throw new Error(`result file ends at result ${i} of ${count}`);
      this.#offsets.push(at);
      at += this.#view.getUint32(at + resultField.recordSize, true);
    }
    this.#offsets.push(at);
  }

  get count(): number {
    return this.#offsets.length - 1;
  }

  #at(index: number): number {
    const at = this.#offsets[index];
    if (at === undefined) throw new Error(`no result ${index}`);
    return at;
  }

  state(index: number): StateView {
    return new StateView(this.#view, this.#at(index));
  }

  /** The quadwords of `region.data` that the instruction changed, in runs. */
  changes(index: number): Patch[] {
    const at = this.#at(index);
    const count = this.#view.getUint32(at + resultField.changeCount, true);
    return readPatches(this.bytes, this.#view, at + resultField.size, count);
  }

  /** Where result `index` lies in `bytes`, for comparing whole records. */
  range(index: number): readonly [number, number] {
    return [this.#at(index), this.#at(index + 1)];
  }
}

const pattern = basePattern();

/** Contents of `region.data` before a case runs. Fills `into`, `region.data.size` bytes. */
export function fillWindow(into: Uint8Array, patches: readonly Patch[]): void {
  into.set(pattern);
  for (const { address, bytes } of patches) into.set(bytes, address - region.data.address);
}

/** The quadwords that differ, as maximal runs. */
function changedRuns(before: Uint8Array, after: Uint8Array): Patch[] {
  const runs: Patch[] = [];
  const differs = (at: number): boolean => {
    for (let i = at; i < at + 8; i++) if (before[i] !== after[i]) return true;
    return false;
  };
  for (let at = 0; at < before.length; at += 8) {
    if (!differs(at)) continue;
    let end = at + 8;
    while (end < before.length && differs(end)) end += 8;
    runs.push({ address: region.data.address + at, bytes: after.slice(at, end) });
    at = end;
  }
  return runs;
}

/** Collects results of an executor that runs case by case. */
export class ResultWriter {
  readonly #file = new RecordFile(1 << 20);

  /** Adds a result: `state` after, and the window before and after (`same` if it is known not to have changed). */
  append(state: Uint8Array, before: Uint8Array, after: Uint8Array, same: boolean): void {
    this.appendChanges(state, same ? [] : changedRuns(before, after));
  }

  appendChanges(state: Uint8Array, changes: readonly Patch[]): void {
    const size = resultField.size + sizeOfPatches(changes);
    const at = this.#file.begin(size);
    this.#file.bytes.set(state, at);
    this.#file.view.setUint32(at + resultField.changeCount, changes.length, true);
    this.#file.view.setUint32(at + resultField.recordSize, size, true);
    writePatches(this.#file.view, at + resultField.size, changes);
  }

  finish(): Results {
    return new Results(this.#file.finish());
  }
}
