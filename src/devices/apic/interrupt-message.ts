/** What travels between I/O APICs, MSI functions and local APICs. */
import { deliveryMode, msiFormat } from '../../spec/x86/apic.ts';

export interface InterruptMessage {
  readonly deliveryMode: number;
  readonly vector: number;
  /** The destination is a set (matched with LDR), not an APIC ID. */
  readonly logical: boolean;
  readonly destination: number;
  /** Physical destination "all ones" in the sender's width: every local APIC. */
  readonly broadcast: boolean;
  readonly levelTriggered: boolean;
  /** Only INIT looks at it: a level-triggered INIT that is not asserted is an arbitration-ID reset. */
  readonly assert: boolean;
  /** Deliver to one of the matching processors, the one with the lowest priority. */
  readonly lowestPriority: boolean;
}

const broadcastId8 = 0xff;

/** The message of a write to a message-signalled interrupt's address. SDM Vol. 3A 12.11. */
export function messageFromMsi(address: number, data: number): InterruptMessage | undefined {
  if ((address & msiFormat.addressMask) >>> 0 !== msiFormat.addressBase || address > 0xffff_ffff) return undefined;
  const destination = (address >>> msiFormat.destinationShift) & 0xff;
  const mode = (data >>> msiFormat.deliveryModeShift) & 7;
  const logical = (address & msiFormat.logical) !== 0;
  const hinted = (address & msiFormat.redirectionHint) !== 0;
  return {
    deliveryMode: mode,
    vector: data & msiFormat.vectorMask,
    logical,
    destination,
    broadcast: !logical && destination === broadcastId8,
    levelTriggered: (data & msiFormat.levelTriggered) !== 0,
    assert: (data & msiFormat.levelTriggered) === 0 || (data & msiFormat.levelAssert) !== 0,
    // The hint concerns interrupts with a priority; NMI and the like go to everyone named.
    lowestPriority: mode === deliveryMode.lowestPriority || (hinted && mode === deliveryMode.fixed),
  };
}
