/** Which local APICs an interrupt message names. SDM Vol. 3A 12.6.2 and 12.12.10.2. */
import { apicDestinationFormat } from '../../spec/x86/apic.ts';
import type { InterruptMessage } from './interrupt-message.ts';

const broadcastId32 = 0xffff_ffff;

/** The read-only LDR of x2APIC mode: 16 APICs to a cluster, one bit each. */
export function x2apicLogicalId(id: number): number {
  return (((id >>> 4) << 16) | (1 << (id & 0xf))) >>> 0;
}

export function matchesDestination(
  message: InterruptMessage,
  id: number,
  x2apic: boolean,
  logicalDestination: number,
  destinationFormat: number,
): boolean {
  const { destination } = message;
  if (message.broadcast) return true;
  if (!message.logical) return destination === (x2apic ? id : id & 0xff);
  if (x2apic) {
    const own = x2apicLogicalId(id);
    if (destination === broadcastId32) return true;
    return destination >>> 16 === own >>> 16 && (destination & own & 0xffff) !== 0;
  }
  if (destination > 0xff) return destination === broadcastId32;
  const own = logicalDestination >>> 24;
  if (destinationFormat >>> 28 === apicDestinationFormat.flat) return (own & destination) !== 0;
  // Cluster model; other formats are reserved and match nobody.
  if (destinationFormat >>> 28 !== apicDestinationFormat.cluster) return false;
  return destination === 0xff || (own >>> 4 === destination >>> 4 && (own & destination & 0xf) !== 0);
}
