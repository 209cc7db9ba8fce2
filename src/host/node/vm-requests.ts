/** What the main thread asks a running machine for; the answers come as messages of the machine's thread. */
import type { MachineEvent, Statistics } from '../../machine/config.ts';
import type { HostLink } from './vm-link.ts';

/** A machine that waits for the reader of its console looks up late, or never. */
const patienceMs = 5000;

export class VmRequests {
  readonly #link: HostLink;
  readonly #patienceMs: number;
  /** Who waits for an event; they get none when the machine ends or does not answer. */
  readonly #waiting = new Set<{ kind: MachineEvent['kind']; settle: (event: MachineEvent | undefined) => void }>();
  #paused = false;
  #ended = false;
  /** A pause and the end of one are waited for before the next begins, or an answer could be taken for another's. */
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(link: HostLink, patience: number = patienceMs) {
    this.#link = link;
    this.#patienceMs = patience;
  }

  get paused(): boolean {
    return this.#paused;
  }

  pressPowerButton(): void {
    this.#link.request('power-button');
  }

  /** What the machine has counted so far; undefined when it has ended or does not answer. */
  async statistics(): Promise<Statistics | undefined> {
    const answer = this.#next('statistics');
    this.#link.request('statistics');
    const event = await answer;
    return event?.kind === 'statistics' ? event.statistics : undefined;
  }

  /** @returns whether the machine is as asked now; if not, nothing has changed */
  setPaused(paused: boolean): Promise<boolean> {
    const change = this.#lastChange.then(async () => {
      if (this.#paused === paused) return !this.#ended;
      const answer = this.#next(paused ? 'paused' : 'resumed');
      this.#link.setPaused('user', paused);
      if ((await answer) !== undefined) return true;
      this.#link.setPaused('user', !paused);
      return false;
    });
    this.#lastChange = change;
    return change;
  }

  take(event: MachineEvent): void {
    if (event.kind !== 'statistics') this.#paused = event.kind === 'paused';
    for (const waiter of this.#waiting) if (waiter.kind === event.kind) waiter.settle(event);
  }

  /** The machine has ended. */
  end(): void {
    this.#ended = true;
    this.#paused = false;
    for (const waiter of this.#waiting) waiter.settle(undefined);
  }

  #next(kind: MachineEvent['kind']): Promise<MachineEvent | undefined> {
    if (this.#ended) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const settle = (event: MachineEvent | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        resolve(event);
      };
      const waiter = { kind, settle };
      const timer = setTimeout(() => settle(undefined), this.#patienceMs);
      this.#waiting.add(waiter);
    });
  }
}
