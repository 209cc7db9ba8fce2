/** A person at the serial console of a guest, whatever machine that runs on. */
import { setTimeout as delay } from 'node:timers/promises';
import { type Running, startProgram } from '../../src/cli/testing/corbel-process.ts';

const pollMs = 50;
const keptCharacters = 4000;
/** dash shows it; nothing else does. */
const prompt = 'guest% ';

export class GuestConsole {
  readonly #running: Running;
  #text = '';
  /** What has been looked at. */
  #seen = 0;
  #over = false;

  constructor(command: readonly string[]) {
    this.#running = startProgram(command, 'open');
    this.#running.child.stdout?.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1');
    });
    void this.#running.ended.then(() => {
      this.#over = true;
    });
  }

  get pid(): number {
    return this.#running.child.pid as number;
  }

  /** Resolves with what came before `pattern`, after what was looked at last. */
  async shows(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.#text.slice(this.#seen));
      if (match !== null) {
        const before = this.#text.slice(this.#seen, this.#seen + match.index);
        this.#seen += match.index + match[0].length;
        return before;
      }
      if (this.#over) {
        const { status, stderr } = await this.#running.ended;
        const tail = this.#text.slice(-keptCharacters);
        throw new Error(`it ended with status ${status} before it showed ${pattern}: ${stderr}\n${tail}`);
      }
      await delay(pollMs);
    }
  }

  type(line: string): void {
    this.#running.child.stdin?.write(`${line}\r`);
  }

  /** Logs root in, who has no password, and leaves a shell that shows nothing but what its commands print. */
  async logIn(): Promise<void> {
    await this.shows(/login: $/);
    this.type('root');
    await this.shows(/# $/);
    this.type(`stty -echo; exec env TERM=dumb PS1='${prompt}' sh`);
    // bash ends its line editing with a carriage return, and has shown the name of the prompt itself before.
    await this.shows(/[\r\n]guest% $/);
  }

  /** Runs a command in that shell. @returns what it prints */
  async run(command: string): Promise<string> {
    this.type(command);
    return (await this.shows(/guest% $/)).replaceAll('\r', '').trim();
  }

  /** Resolves with the exit status of the machine when it has ended. */
  async powerOff(): Promise<number | null> {
    this.type('poweroff');
    return (await this.#running.ended).status;
  }

  /** What the machine wrote to its standard error, when it has ended. */
  async errors(): Promise<string> {
    return (await this.#running.ended).stderr;
  }

  kill(): void {
    this.#running.child.kill('SIGKILL');
  }
}
