/** The header that virtio-net and TAP devices put before frames, little-endian. Source: virtio 1.2 5.1.6. */
import { ethernet, etherType, vlanTag } from '../../spec/net/ethernet.ts';
import { tcp, tcpFlag } from '../../spec/net/tcp.ts';
import { virtioNetHeader, virtioNetHeaderFlag, virtioNetSegmentation } from '../../spec/virtio/net.ts';
import type { Frame, Offload } from '../port.ts';
import { read16 } from './bytes.ts';

/** An `Offload` that is used again. */
export type OffloadSlot = { -readonly [K in keyof Offload]: Offload[K] };

/**
 * Reads what the header at `at` says of a frame of `frameBytes` bytes into `slot`.
 * @returns the slot, `none` when nothing is left to do, or `malformed`
 */
export function readVirtioHeader(
  bytes: Uint8Array,
  at: number,
  frameBytes: number,
  slot: OffloadSlot,
): Offload | 'none' | 'malformed' {
  const flags = bytes[at + virtioNetHeader.flags] as number;
  const segmentation = (bytes[at + virtioNetHeader.segmentation] as number) & ~virtioNetSegmentation.ecn;
  const tso = segmentation === virtioNetSegmentation.tcp4 || segmentation === virtioNetSegmentation.tcp6;
  if (!tso && segmentation !== virtioNetSegmentation.none) return 'malformed';
  if ((flags & virtioNetHeaderFlag.needsChecksum) === 0) return tso ? 'malformed' : 'none';
  slot.checksumStart = little16(bytes, at + virtioNetHeader.checksumStart);
  slot.checksumOffset = little16(bytes, at + virtioNetHeader.checksumOffset);
  slot.segmentBytes = tso ? little16(bytes, at + virtioNetHeader.segmentSize) : 0;
  if (slot.checksumStart + slot.checksumOffset + 2 > frameBytes) return 'malformed';
  if (tso && (slot.segmentBytes === 0 || slot.checksumStart + tcp.headerBytes > frameBytes)) return 'malformed';
  return slot;
}

/** Writes the header for `frame` at `at`, all but the number of buffers. */
export function writeVirtioHeader(bytes: Uint8Array, at: number, frame: Frame, offload: Offload | undefined): void {
  bytes.fill(0, at, at + virtioNetHeader.legacyBytes);
  if (offload === undefined) return;
  const { checksumStart, checksumOffset, segmentBytes } = offload;
  bytes[at + virtioNetHeader.flags] = virtioNetHeaderFlag.needsChecksum;
  setLittle16(bytes, at + virtioNetHeader.checksumStart, checksumStart);
  setLittle16(bytes, at + virtioNetHeader.checksumOffset, checksumOffset);
  if (segmentBytes === 0) return;
  const outer = read16(frame, ethernet.type);
  const type = outer === etherType.vlan ? read16(frame, ethernet.type + vlanTag.bytes) : outer;
  const kind = type === etherType.ipv6 ? virtioNetSegmentation.tcp6 : virtioNetSegmentation.tcp4;
  const congested = ((frame[checksumStart + tcp.flags] as number) & tcpFlag.cwr) !== 0;
  bytes[at + virtioNetHeader.segmentation] = kind | (congested ? virtioNetSegmentation.ecn : 0);
  const tcpBytes = ((frame[checksumStart + tcp.dataOffset] as number) >>> 4) * 4;
  setLittle16(bytes, at + virtioNetHeader.headerLength, checksumStart + tcpBytes);
  setLittle16(bytes, at + virtioNetHeader.segmentSize, segmentBytes);
}

function little16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

function setLittle16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}
