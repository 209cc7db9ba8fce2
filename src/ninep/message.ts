/** Messages as bytes. The layouts are those of `spec/ninep.ts`; the types of their values follow from them. */
import { ninepHeaderBytes, type ninepMessages, ninepMostNames, ninepQidBytes } from '../spec/ninep.ts';

/** What identifies a file: the same `path` is the same file, and another `version` is other content. */
export interface Qid {
  readonly type: number;
  readonly version: number;
  readonly path: bigint;
}

interface FieldValue {
  readonly u8: number;
  readonly u16: number;
  readonly u32: number;
  readonly u64: bigint;
  /** A byte string: every character is one byte, because names have no character set. */
  readonly string: string;
  readonly strings: readonly string[];
  readonly data: Uint8Array;
  readonly qid: Qid;
  readonly qids: readonly Qid[];
}

type FieldKind = keyof FieldValue;
export type Layout = Readonly<Record<string, FieldKind>>;
export type ValuesOf<L extends Layout> = { readonly [K in keyof L]: FieldValue[L[K]] };

export type Operation = keyof typeof ninepMessages;
export type RequestOf<O extends Operation> = ValuesOf<(typeof ninepMessages)[O]['request']>;
export type ReplyOf<O extends Operation> = ValuesOf<(typeof ninepMessages)[O]['reply']>;

export interface Header {
  readonly sizeBytes: number;
  readonly type: number;
  readonly tag: number;
}

/** @returns undefined when there are not even the bytes of a header */
export function decodeHeader(message: Uint8Array): Header | undefined {
  if (message.length < ninepHeaderBytes) return undefined;
  const view = viewOf(message);
  return { sizeBytes: view.getUint32(0, true), type: view.getUint8(4), tag: view.getUint16(5, true) };
}

/**
 * The fields behind the header. `data` is a view of `message`, not a copy.
 * @returns undefined when the message is too short for its layout, or longer
 */
export function decodeFields<L extends Layout>(layout: L, message: Uint8Array): ValuesOf<L> | undefined {
  const reader = new FieldReader(message);
  const values: Record<string, unknown> = {};
  for (const [name, kind] of Object.entries(layout)) values[name] = reader[kind]();
  return reader.complete ? (values as ValuesOf<L>) : undefined;
}

export function encodeMessage<L extends Layout>(type: number, tag: number, layout: L, values: ValuesOf<L>): Uint8Array {
  const fields = Object.entries(layout).map(([name, kind]) => {
    const value: unknown = values[name];
    return { kind, value, size: codecOf(kind).size(value) };
  });
  const message = new Uint8Array(fields.reduce((sum, { size }) => sum + size, ninepHeaderBytes));
  const view = viewOf(message);
  view.setUint32(0, message.length, true);
  view.setUint8(4, type);
  view.setUint16(5, tag, true);
  let at = ninepHeaderBytes;
  for (const { kind, value, size } of fields) {
    codecOf(kind).write(view, at, value);
    at += size;
  }
  return message;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

interface FieldCodec<T> {
  size(value: T): number;
  write(view: DataView, at: number, value: T): void;
}

const codecs: { readonly [K in FieldKind]: FieldCodec<FieldValue[K]> } = {
  u8: { size: () => 1, write: (view, at, value) => view.setUint8(at, value) },
  u16: { size: () => 2, write: (view, at, value) => view.setUint16(at, value, true) },
  u32: { size: () => 4, write: (view, at, value) => view.setUint32(at, value, true) },
  u64: { size: () => 8, write: (view, at, value) => view.setBigUint64(at, value, true) },
  qid: { size: () => ninepQidBytes, write: writeQid },
  string: { size: (text) => 2 + text.length, write: writeString },
  data: {
    size: (bytes) => 4 + bytes.length,
    write: (view, at, bytes) => {
      view.setUint32(at, bytes.length, true);
      new Uint8Array(view.buffer, view.byteOffset + at + 4).set(bytes);
    },
  },
  strings: {
    size: (texts) => texts.reduce((sum, text) => sum + 2 + text.length, 2),
    write: (view, at, texts) => {
      view.setUint16(at, texts.length, true);
      let next = at + 2;
      for (const text of texts) {
        writeString(view, next, text);
        next += 2 + text.length;
      }
    },
  },
  qids: {
    size: (qids) => 2 + qids.length * ninepQidBytes,
    write: (view, at, qids) => {
      view.setUint16(at, qids.length, true);
      for (const [i, qid] of qids.entries()) writeQid(view, at + 2 + i * ninepQidBytes, qid);
    },
  },
};

function codecOf(kind: FieldKind): FieldCodec<unknown> {
  return codecs[kind] as FieldCodec<unknown>;
}

function writeString(view: DataView, at: number, text: string): void {
  view.setUint16(at, text.length, true);
  for (let i = 0; i < text.length; i++) view.setUint8(at + 2 + i, text.charCodeAt(i));
}

export function writeQid(view: DataView, at: number, qid: Qid): void {
  view.setUint8(at, qid.type);
  view.setUint32(at + 1, qid.version, true);
  view.setBigUint64(at + 5, qid.path, true);
}

/** Reads zeroes beyond the end, and remembers that it did. Its methods are named after the kinds of fields. */
class FieldReader {
  readonly #message: Uint8Array;
  readonly #view: DataView;
  #at = ninepHeaderBytes;
  #short = false;

  constructor(message: Uint8Array) {
    this.#message = message;
    this.#view = viewOf(message);
  }

  /** Whether the fields were all there and nothing follows them. */
  get complete(): boolean {
    return !this.#short && this.#at === this.#message.length;
  }

  u8(): number {
    const at = this.#take(1);
    return at === undefined ? 0 : this.#view.getUint8(at);
  }

  u16(): number {
    const at = this.#take(2);
    return at === undefined ? 0 : this.#view.getUint16(at, true);
  }

  u32(): number {
    const at = this.#take(4);
    return at === undefined ? 0 : this.#view.getUint32(at, true);
  }

  u64(): bigint {
    const at = this.#take(8);
    return at === undefined ? 0n : this.#view.getBigUint64(at, true);
  }

  string(): string {
    const length = this.u16();
    const at = this.#take(length);
    if (at === undefined) return '';
    let text = '';
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.#view.getUint8(at + i));
    return text;
  }

  /** No message has more strings than a walk has names. */
  strings(): string[] {
    const count = this.u16();
    if (count > ninepMostNames) this.#short = true;
    const strings: string[] = [];
    for (let i = 0; i < count && !this.#short; i++) strings.push(this.string());
    return strings;
  }

  data(): Uint8Array {
    const length = this.u32();
    const at = this.#take(length);
    return at === undefined ? new Uint8Array(0) : this.#message.subarray(at, at + length);
  }

  qid(): Qid {
    return { type: this.u8(), version: this.u32(), path: this.u64() };
  }

  qids(): Qid[] {
    const count = this.u16();
    const qids: Qid[] = [];
    for (let i = 0; i < count && !this.#short; i++) qids.push(this.qid());
    return qids;
  }

  #take(bytes: number): number | undefined {
    const at = this.#at;
    if (this.#short || bytes > this.#message.length - at) {
      this.#short = true;
      return undefined;
    }
    this.#at += bytes;
    return at;
  }
}
