/** ARP for IPv4 on Ethernet. Source: RFC 826. */
import { arp, arpHardware, arpOperation } from '../../spec/net/arp.ts';
import { ethernet, etherType } from '../../spec/net/ethernet.ts';
import { broadcastMac, type MacAddress } from './address.ts';
import { read16, read32, write16, write32 } from './bytes.ts';

export interface ArpPacket {
  readonly operation: number;
  /** A view of the frame. */
  readonly senderMac: MacAddress;
  readonly senderAddress: number;
  readonly targetAddress: number;
}

/** Reads an ARP packet at `start`. @returns undefined unless it is one for IPv4 on Ethernet */
export function readArpPacket(frame: Uint8Array, start: number): ArpPacket | undefined {
  if (frame.length < start + arp.bytes) return undefined;
  if (read16(frame, start + arp.hardwareType) !== arpHardware.ethernet) return undefined;
  if (read16(frame, start + arp.protocolType) !== etherType.ipv4) return undefined;
  if (frame[start + arp.hardwareLength] !== ethernet.addressBytes || frame[start + arp.protocolLength] !== 4) {
    return undefined;
  }
  const senderAt = start + arp.senderHardware;
  return {
    operation: read16(frame, start + arp.operation),
    senderMac: frame.subarray(senderAt, senderAt + ethernet.addressBytes),
    senderAddress: read32(frame, start + arp.senderProtocol),
    targetAddress: read32(frame, start + arp.targetProtocol),
  };
}

/** One end of an ARP exchange. */
export interface ArpStation {
  readonly mac: MacAddress;
  readonly address: number;
}

/** A whole frame that asks everybody who has `address`. */
export function arpRequest(sender: ArpStation, address: number): Uint8Array {
  return arpFrame(arpOperation.request, sender, { mac: broadcastMac, address }, new Uint8Array(ethernet.addressBytes));
}

/** A whole frame that tells `target` where `sender` is. */
export function arpReply(sender: ArpStation, target: ArpStation): Uint8Array {
  return arpFrame(arpOperation.reply, sender, target, target.mac);
}

function arpFrame(operation: number, sender: ArpStation, target: ArpStation, targetMac: MacAddress): Uint8Array {
  const frame = new Uint8Array(ethernet.headerBytes + arp.bytes);
  frame.set(target.mac, ethernet.destination);
  frame.set(sender.mac, ethernet.source);
  write16(frame, ethernet.type, etherType.arp);
  const start = ethernet.headerBytes;
  write16(frame, start + arp.hardwareType, arpHardware.ethernet);
  write16(frame, start + arp.protocolType, etherType.ipv4);
  frame[start + arp.hardwareLength] = ethernet.addressBytes;
  frame[start + arp.protocolLength] = 4;
  write16(frame, start + arp.operation, operation);
  frame.set(sender.mac, start + arp.senderHardware);
  write32(frame, start + arp.senderProtocol, sender.address);
  frame.set(targetMac, start + arp.targetHardware);
  write32(frame, start + arp.targetProtocol, target.address);
  return frame;
}
