/** Packets of the socket device. VIRTIO 1.2 5.10.6. */
import { vsockHeader, vsockType } from '../../spec/virtio/vsock.ts';

export interface VsockPacket {
  readonly guestPort: number;
  readonly hostPort: number;
  /** One of `vsockOperation`, or what a guest has made of it. */
  readonly operation: number;
  readonly flags: number;
  /** The sender's room for a connection's bytes, and how many of them it has passed on, modulo 2^32. */
  readonly bufferBytes: number;
  readonly forwardedBytes: number;
}

export interface ReceivedHeader extends VsockPacket {
  readonly sourceCid: bigint;
  readonly destinationCid: bigint;
  readonly type: number;
  readonly length: number;
}

/** A header that a guest has sent. @returns undefined if there is not even one */
export function decodeHeader(bytes: Uint8Array): ReceivedHeader | undefined {
  if (bytes.length < vsockHeader.size) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, vsockHeader.size);
  return {
    sourceCid: view.getBigUint64(vsockHeader.sourceCid, true),
    destinationCid: view.getBigUint64(vsockHeader.destinationCid, true),
    guestPort: view.getUint32(vsockHeader.sourcePort, true),
    hostPort: view.getUint32(vsockHeader.destinationPort, true),
    length: view.getUint32(vsockHeader.length, true),
    type: view.getUint16(vsockHeader.type, true),
    operation: view.getUint16(vsockHeader.operation, true),
    flags: view.getUint32(vsockHeader.flags, true),
    bufferBytes: view.getUint32(vsockHeader.bufferBytes, true),
    forwardedBytes: view.getUint32(vsockHeader.forwardedBytes, true),
  };
}

/** The header of a packet to a guest, before `length` bytes. */
export function encodeHeader(packet: VsockPacket, cids: { host: number; guest: number }, length: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(vsockHeader.size));
  view.setBigUint64(vsockHeader.sourceCid, BigInt(cids.host), true);
  view.setBigUint64(vsockHeader.destinationCid, BigInt(cids.guest), true);
  view.setUint32(vsockHeader.sourcePort, packet.hostPort, true);
  view.setUint32(vsockHeader.destinationPort, packet.guestPort, true);
  view.setUint32(vsockHeader.length, length, true);
  view.setUint16(vsockHeader.type, vsockType.stream, true);
  view.setUint16(vsockHeader.operation, packet.operation, true);
  view.setUint32(vsockHeader.flags, packet.flags, true);
  view.setUint32(vsockHeader.bufferBytes, packet.bufferBytes, true);
  view.setUint32(vsockHeader.forwardedBytes, packet.forwardedBytes, true);
  return new Uint8Array(view.buffer);
}
