/** One of the 256-bit registers IRR, ISR, TMR: eight 32-bit words, vector 0 in bit 0 of the first. SDM Vol. 3A 12.8.4. */
const wordCount = 8;

export class VectorSet {
  readonly #words = new Uint32Array(wordCount);

  has(vector: number): boolean {
    return ((this.word(vector >>> 5) >>> (vector & 31)) & 1) !== 0;
  }

  add(vector: number): void {
    const index = vector >>> 5;
    this.#words[index] = this.word(index) | (1 << (vector & 31));
  }

  remove(vector: number): void {
    const index = vector >>> 5;
    this.#words[index] = this.word(index) & ~(1 << (vector & 31));
  }

  /** The highest vector in the set, -1 when it is empty. */
  highest(): number {
    for (let index = wordCount - 1; index >= 0; index--) {
      const word = this.word(index);
      if (word !== 0) return index * 32 + 31 - Math.clz32(word);
    }
    return -1;
  }

  /** Vectors `32 * index` … `32 * index + 31`, unsigned. */
  word(index: number): number {
    return this.#words[index] ?? 0;
  }

  clear(): void {
    this.#words.fill(0);
  }

  save(): number[] {
    return [...this.#words];
  }

  restore(words: readonly number[]): void {
    for (let index = 0; index < wordCount; index++) this.#words[index] = words[index] ?? 0;
  }
}
