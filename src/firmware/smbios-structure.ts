/** Builds one SMBIOS structure: a formatted area, then its strings. SMBIOS Reference Specification 3.0, 6.1. */
export class SmbiosStructure {
  readonly #bytes: number[];
  readonly #texts: string[] = [];

  constructor(type: number, handle: number) {
    this.#bytes = [type, 0, handle & 0xff, handle >>> 8];
  }

  byte(value: number): this {
    return this.raw([value]);
  }

  word(value: number): this {
    return this.#number(BigInt(value), 2);
  }

  dword(value: number): this {
    return this.#number(BigInt(value), 4);
  }

  qword(value: bigint): this {
    return this.#number(value, 8);
  }

  zeros(count: number): this {
    return this.raw(new Array<number>(count).fill(0));
  }

  raw(bytes: readonly number[]): this {
    this.#bytes.push(...bytes);
    return this;
  }

  /** A reference to a string; what is not printable ASCII becomes a question mark. An empty string is none. */
  text(value: string): this {
    const printable = value.replace(/[^\x20-\x7e]/g, '?');
    if (printable === '') return this.byte(0);
    this.#texts.push(printable);
    return this.byte(this.#texts.length);
  }

  /** The structure with its length set and its strings behind it; without strings, two zeros end it. */
  finish(): number[] {
    const formatted = [...this.#bytes];
    formatted[1] = formatted.length;
    const texts = this.#texts.flatMap((text) => [...text].map((letter) => letter.charCodeAt(0)).concat(0));
    return [...formatted, ...(texts.length === 0 ? [0] : texts), 0];
  }

  #number(value: bigint, bytes: number): this {
    return this.raw(Array.from({ length: bytes }, (_, index) => Number((value >> BigInt(index * 8)) & 0xffn)));
  }
}
