/** 802.1Q tags: read, put in and taken out. */
import { ethernet, etherType, vlanTag } from '../../spec/net/ethernet.ts';
import { read16, write16 } from '../frame/bytes.ts';
import type { OffloadSlot } from '../frame/virtio-header.ts';
import type { Frame, Offload } from '../port.ts';

/** @returns the VLAN in the frame's tag, or -1 for a frame without one */
export function taggedVlan(frame: Frame): number {
  if (frame.length < ethernet.headerBytes + vlanTag.bytes) return -1;
  if (read16(frame, vlanTag.at) !== etherType.vlan) return -1;
  return read16(frame, vlanTag.control) & vlanTag.idMask;
}

/** A frame in the other form than the one it came in, and what is left to do on it. Valid until the next call. */
export class Retagger {
  #bytes = new Uint8Array(2048);
  readonly #offload: OffloadSlot = { checksumStart: 0, checksumOffset: 0, segmentBytes: 0 };

  /** Puts a tag in. */
  tag(frame: Frame, vlan: number): Frame {
    const result = this.#room(frame.length + vlanTag.bytes);
    result.set(frame.subarray(0, vlanTag.at));
    write16(result, vlanTag.at, etherType.vlan);
    write16(result, vlanTag.control, vlan);
    result.set(frame.subarray(vlanTag.at), vlanTag.at + vlanTag.bytes);
    return result;
  }

  /** Takes the tag out. */
  untag(frame: Frame): Frame {
    const result = this.#room(frame.length - vlanTag.bytes);
    result.set(frame.subarray(0, vlanTag.at));
    result.set(frame.subarray(vlanTag.at + vlanTag.bytes), vlanTag.at);
    return result;
  }

  /** Moves what is left to do by `shift` bytes, as the frame's content was. */
  move(offload: Offload | undefined, shift: number): Offload | undefined {
    if (offload === undefined) return undefined;
    this.#offload.checksumStart = Math.max(0, offload.checksumStart + shift);
    this.#offload.checksumOffset = offload.checksumOffset;
    this.#offload.segmentBytes = offload.segmentBytes;
    return this.#offload;
  }

  #room(bytes: number): Uint8Array {
    if (this.#bytes.length < bytes) this.#bytes = new Uint8Array(bytes * 2);
    return this.#bytes.subarray(0, bytes);
  }
}
