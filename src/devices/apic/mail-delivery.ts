/** Hands what other threads left in a processor's box to its local APIC. */
import { deliveryMode } from '../../spec/x86/apic.ts';
import type { ApicAgent, ApicBus } from './apic-bus.ts';
import type { MailReceiver } from './apic-mail.ts';
import type { InterruptMessage } from './interrupt-message.ts';

/** Sender and destination are settled: what is left of a message. */
const message = (mode: number, vector = 0, levelTriggered = false): InterruptMessage => ({
  deliveryMode: mode,
  vector,
  levelTriggered,
  assert: true,
  logical: false,
  destination: 0,
  broadcast: false,
  lowestPriority: false,
});

/** Between a box and the APIC that owns it, on the bus of its thread. */
export function mailReceiver(apic: ApicAgent, bus: ApicBus): MailReceiver {
  const accept = (mode: number, vector?: number): void => void apic.accept(message(mode, vector));
  return {
    init: () => accept(deliveryMode.init),
    startUp: (vector) => accept(deliveryMode.startUp, vector),
    nmi: () => accept(deliveryMode.nmi),
    external: () => accept(deliveryMode.externalInterrupt),
    fixed: (vector, levelTriggered) => {
      const accepted = apic.accept(message(deliveryMode.fixed, vector, levelTriggered));
      // The I/O APIC believes that it was: it would wait for the end of an interrupt that never was.
      if (levelTriggered && !accepted) bus.broadcastEoi(vector);
    },
    endOfInterrupt: (vector) => bus.broadcastEoi(vector),
  };
}
