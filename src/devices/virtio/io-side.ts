/** The I/O thread's half of all virtio devices of a machine. */
import type { CodeWriteSender } from '../../memory/code-writes.ts';
import type { GuestMemory } from '../../memory/guest-memory.ts';
import { DeviceSession, type SessionPort } from './device-session.ts';
import { Attention, openMailbox } from './mailbox.ts';
import type { VirtioDevice } from './virtio-device.ts';

export interface IoSideParts {
  readonly memory: GuestMemory;
  readonly mailboxes: SharedArrayBuffer;
  /** In the order of the descriptions that the mailboxes were allocated for. */
  readonly devices: readonly VirtioDevice[];
  readonly codeWrites: CodeWriteSender;
  /** Makes the machine's thread look, whether it runs the guest or sleeps. */
  readonly wakeMachine: () => void;
  /** Runs `task` soon, but not before a microsecond or so has passed. */
  readonly soon: (task: () => void) => void;
  readonly report: (device: number, reason: string) => void;
  /** A device threw, which none may: a bug of ours. */
  readonly crashed: (error: unknown) => void;
}

export class IoSide {
  readonly #sessions: readonly DeviceSession[];
  readonly #attention: Attention;
  readonly #crashed: (error: unknown) => void;

  constructor(parts: IoSideParts) {
    const { mailboxes, devices } = parts;
    this.#attention = new Attention(mailboxes, 'io');
    this.#crashed = parts.crashed;
    const machine = new Attention(mailboxes, 'machine');
    const descriptions = devices.map(({ description }) => description);
    this.#sessions = devices.map((device, number) => {
      const mailbox = openMailbox(mailboxes, descriptions, number);
      return new DeviceSession(device, number, mailbox, machine, this.#port(parts, number));
    });
  }

  /** Does what the guest has asked of its devices. Never waits. */
  serve(): void {
    for (const number of this.#attention.take()) this.#guarded(() => this.#sessions[number]?.serve());
  }

  /** Ends all devices; resolves when none touches guest RAM any more. */
  async stop(): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.stop()));
  }

  #guarded(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#crashed(error);
    }
  }

  #port(parts: IoSideParts, number: number): SessionPort {
    let due = false;
    return {
      memory: parts.memory,
      wakeMachine: parts.wakeMachine,
      dropCode: (places, done) => parts.codeWrites.drop(places, done),
      unsettled: () => {
        if (due) return;
        due = true;
        parts.soon(() => {
          due = false;
          this.#guarded(() => this.#sessions[number]?.settle());
        });
      },
      report: (reason) => parts.report(number, reason),
      crashed: parts.crashed,
    };
  }
}
