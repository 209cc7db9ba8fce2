/** The screen of a serial terminal: text, cursor positions and clearing; colours are ignored. Source: ECMA-48. */
const csi = '\x1b[';

export class Screen {
  readonly #lines: string[][] = [];
  #row = 0;
  #column = 0;
  /** The beginning of a sequence whose end has not come yet. */
  #unfinished = '';

  write(text: string): void {
    const parts = (this.#unfinished + text).split(csi);
    this.#unfinished = '';
    for (const [position, part] of parts.entries()) {
      if (position === 0) {
        this.#print(part);
        continue;
      }
      const sequence = /^[0-9;?]*[A-Za-z]/.exec(part)?.[0];
      if (sequence === undefined) {
        this.#unfinished = csi + part;
        continue;
      }
      this.#obey(sequence);
      this.#print(part.slice(sequence.length));
    }
  }

  /** A line, counted from 1. */
  line(number: number): string {
    return (this.#lines[number - 1] ?? []).join('');
  }

  toString(): string {
    return this.#lines.map((line) => line.join('').trimEnd()).join('\n');
  }

  #obey(sequence: string): void {
    const numbers = sequence.slice(0, -1).split(';').map(Number);
    if (sequence.endsWith('H')) {
      this.#row = (numbers[0] || 1) - 1;
      this.#column = (numbers[1] || 1) - 1;
    } else if (sequence === '2J') {
      this.#lines.length = 0;
    }
  }

  #print(text: string): void {
    for (const letter of text) {
      while (this.#lines.length <= this.#row) this.#lines.push([]);
      const line = this.#lines[this.#row] as string[];
      while (line.length < this.#column) line.push(' ');
      line[this.#column++] = letter;
    }
  }
}
