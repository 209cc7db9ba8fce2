/** The fabric between I/O APICs, message-signalled interrupts and the local APICs of all processors. */
import type { MsiTarget } from '../../device-model/interrupt.ts';
import { type InterruptMessage, messageFromMsi } from './interrupt-message.ts';

/** A local APIC as the bus sees it. */
export interface ApicAgent {
  /** Whether the message names this APIC. SDM Vol. 3A 12.6.2. */
  matches(message: InterruptMessage): boolean;
  /** Priority for lowest-priority arbitration; -1 when the APIC takes no interrupts. */
  arbitrationPriority(): number;
  /** @returns whether the APIC took the message. */
  accept(message: InterruptMessage): boolean;
}

/** An I/O APIC as the bus sees it. */
export interface EoiListener {
  endOfInterrupt(vector: number): void;
}

export class ApicBus implements MsiTarget {
  readonly #agents: ApicAgent[] = [];
  readonly #listeners: EoiListener[] = [];

  attach(agent: ApicAgent): void {
    this.#agents.push(agent);
  }

  attachEoiListener(listener: EoiListener): void {
    this.#listeners.push(listener);
  }

  /** A memory write to 0xFEExxxxx by a device. Other addresses and senseless modes are dropped, as by the chipset. */
  deliver(address: number, data: number): void {
    const message = messageFromMsi(address, data);
    if (message !== undefined) this.send(message);
  }

  /** @returns whether a local APIC took the message. */
  send(message: InterruptMessage): boolean {
    const matching = this.#agents.filter((agent) => agent.matches(message));
    if (message.lowestPriority) return this.#lowestPriority(matching)?.accept(message) ?? false;
    let taken = false;
    for (const agent of matching) taken = agent.accept(message) || taken;
    return taken;
  }

  /** Sends to every local APIC but `except`, whatever the destination field says. */
  sendToAll(message: InterruptMessage, except?: ApicAgent): void {
    const others = this.#agents.filter((agent) => agent !== except);
    if (message.lowestPriority) this.#lowestPriority(others)?.accept(message);
    else for (const agent of others) agent.accept(message);
  }

  /** Tells the I/O APICs that a processor has finished a level-triggered interrupt. SDM Vol. 3A 12.8.5. */
  broadcastEoi(vector: number): void {
    for (const listener of this.#listeners) listener.endOfInterrupt(vector);
  }

  #lowestPriority(agents: readonly ApicAgent[]): ApicAgent | undefined {
    let best: ApicAgent | undefined;
    let bestPriority = Number.POSITIVE_INFINITY;
    for (const agent of agents) {
      const priority = agent.arbitrationPriority();
      if (priority >= 0 && priority < bestPriority) {
        best = agent;
        bestPriority = priority;
      }
    }
    return best;
  }
}
