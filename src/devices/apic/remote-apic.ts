/** The local APICs of processors on other threads, as the bus of this thread sees them. */
import { deliveryMode, firstLegalVector } from '../../spec/x86/apic.ts';
import type { ApicAgent, ApicBus, EoiListener } from './apic-bus.ts';
import { ApicBox, apicFlag, apicMailProcessors, boardProcessor } from './apic-mail.ts';
import type { InterruptMessage } from './interrupt-message.ts';
import type { LocalApic } from './local-apic.ts';
import { matchesDestination } from './logical-destination.ts';

/** A processor's thread among the others. */
export interface ApicThread {
  /** From `allocateApicMail`. */
  readonly mail: SharedArrayBuffer;
  /** The processor whose thread this is. */
  readonly processor: number;
  /** Makes another processor's thread look into its box: ends its slice, or its sleep. */
  readonly kick: (processor: number) => void;
}

class RemoteApic implements ApicAgent {
  readonly #box: ApicBox;
  readonly #hasBoard: boolean;
  readonly #kick: () => void;

  /** @param hasBoard whether the 8259 pair is on its thread */
  constructor(box: ApicBox, hasBoard: boolean, kick: () => void) {
    this.#box = box;
    this.#hasBoard = hasBoard;
    this.#kick = kick;
  }

  matches(message: InterruptMessage): boolean {
    const { flags, id, logicalDestination, destinationFormat } = this.#box;
    if ((flags & apicFlag.enabled) === 0) return false;
    return matchesDestination(message, id, (flags & apicFlag.x2apic) !== 0, logicalDestination, destinationFormat);
  }

  arbitrationPriority(): number {
    return this.#takesFixed ? this.#box.priority : -1;
  }

  accept(message: InterruptMessage): boolean {
    if ((this.#box.flags & apicFlag.enabled) === 0) return false;
    switch (message.deliveryMode) {
      case deliveryMode.fixed:
      case deliveryMode.lowestPriority:
        if (!this.#takesFixed) return false;
        this.#posted(this.#box.postFixed(message.vector, message.levelTriggered));
        // The receiver notes an error then.
        return message.vector >= firstLegalVector;
      case deliveryMode.nmi:
        return this.#posted(this.#box.postNmi());
      case deliveryMode.init:
        return !message.assert || this.#posted(this.#box.postInit());
      case deliveryMode.startUp:
        return this.#posted(this.#box.postStartUp(message.vector));
      case deliveryMode.externalInterrupt:
        return this.#hasBoard && this.#posted(this.#box.postExternal());
      default:
        return false;
    }
  }

  get #takesFixed(): boolean {
    const both = apicFlag.enabled | apicFlag.softwareEnabled;
    return (this.#box.flags & both) === both;
  }

  /** A box that was not empty has been announced already. */
  #posted(wasEmpty: boolean): true {
    if (wasEmpty) this.#kick();
    return true;
  }
}

/** Carries ends of level-triggered interrupts to the I/O APIC on another thread. */
class RemoteEoi implements EoiListener {
  readonly #box: ApicBox;
  readonly #kick: () => void;

  constructor(box: ApicBox, kick: () => void) {
    this.#box = box;
    this.#kick = kick;
  }

  endOfInterrupt(vector: number): void {
    if (this.#box.postEndOfInterrupt(vector)) this.#kick();
  }
}

/**
 * Fills the bus of one thread: its own local APIC and those of all others, in the order of the processors, and the way
 * to the I/O APIC. @param create makes the thread's own APIC on that bus, around its box; there is none to a processor
 * that is alone
 */
export function connectApics(
  bus: ApicBus,
  { mail, processor, kick }: ApicThread,
  create: (box: ApicBox | undefined) => LocalApic,
): LocalApic {
  const count = apicMailProcessors(mail);
  const attachRemote = (other: number): void =>
    bus.attach(new RemoteApic(new ApicBox(mail, other), other === boardProcessor, () => kick(other)));
  for (let other = 0; other < processor; other++) attachRemote(other);
  const own = create(count > 1 ? new ApicBox(mail, processor) : undefined);
  for (let other = processor + 1; other < count; other++) attachRemote(other);
  if (processor !== boardProcessor) {
    bus.attachEoiListener(new RemoteEoi(new ApicBox(mail, boardProcessor), () => kick(boardProcessor)));
  }
  return own;
}
