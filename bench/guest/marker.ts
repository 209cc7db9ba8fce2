/**
 * What a guest tells the bench on its console: lines "@bench KIND WORDS@" among whatever else appears there. The host
 * notes when a marker arrives; a guest's own clock is never asked.
 */

export type MarkerKind =
  /** The first process of the guest runs. */
  | 'init'
  /** The shell reads commands. */
  | 'ready'
  /** A workload's timed part begins: its name. */
  | 'start'
  /** … and has ended: its name and exit status. */
  | 'end'
  /** The checksum of what the workload printed. */
  | 'output';

export interface Marker {
  readonly kind: MarkerKind;
  readonly words: readonly string[];
}

const pattern = /@bench (init|ready|start|end|output)((?: [^ @\r\n]+)*)@/;

/** Finds the markers in a console's text, in whatever pieces it comes. */
export class MarkerReader {
  #line = '';

  push(text: string): Marker[] {
    const lines = (this.#line + text).split('\n');
    this.#line = lines.pop() ?? '';
    const markers: Marker[] = [];
    for (const line of lines) {
      const match = pattern.exec(line);
      if (match === null) continue;
      markers.push({ kind: match[1] as MarkerKind, words: (match[2] as string).split(' ').slice(1) });
    }
    return markers;
  }
}
