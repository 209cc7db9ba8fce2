import { spawnSync } from 'node:child_process';
import type { ReadStream } from 'node:tty';

/** Ctrl-] leaves, as it does in telnet. */
const leaveKey = 0x1d;

export interface TerminalEvents {
  input(bytes: Uint8Array): void;
  leave(): void;
}

/** The user's terminal, each key passed on as it is pressed. */
export class RawTerminal {
  readonly #stdin: ReadStream;
  readonly #events: TerminalEvents;
  readonly #enter = (): void => {
    this.#stdin.setRawMode(true);
    // Node's raw mode goes on turning a line feed into a new line, which spoils what the guest draws. Setting the mode
    // back, and the end of the process, restore this too.
    spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  };
  readonly #take = (chunk: Uint8Array): void => {
    const leave = chunk.indexOf(leaveKey);
    const bytes = leave < 0 ? chunk : chunk.subarray(0, leave);
    if (bytes.length > 0) this.#events.input(bytes);
    if (leave >= 0) this.#events.leave();
  };
  readonly #hangUp = (): void => this.#events.leave();

  constructor(stdin: ReadStream, events: TerminalEvents) {
    this.#stdin = stdin;
    this.#events = events;
    this.#enter();
    // Another program may have changed the terminal while this one was stopped.
    process.on('SIGCONT', this.#enter);
    stdin.on('data', this.#take);
    stdin.on('end', this.#hangUp);
    stdin.resume();
  }

  restore(): void {
    process.off('SIGCONT', this.#enter);
    this.#stdin.off('data', this.#take);
    this.#stdin.off('end', this.#hangUp);
    this.#stdin.setRawMode(false);
    this.#stdin.pause();
  }
}
