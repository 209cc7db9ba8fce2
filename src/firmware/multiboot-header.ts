/** Finds and reads the Multiboot 1 header of a kernel. Multiboot Specification 0.6.96, 3.1. */
import { multiboot, multibootHeader } from '../spec/pc/multiboot.ts';

export interface MultibootHeader {
  /** Where the header stands in the file. */
  readonly offset: number;
  readonly flags: number;
  /** The header carries load addresses; otherwise the file is ELF. */
  readonly addresses:
    | {
        readonly header: number;
        readonly load: number;
        /** 0: to the end of the file. */
        readonly loadEnd: number;
        /** 0: no zero-filled area. */
        readonly bssEnd: number;
        readonly entry: number;
      }
    | undefined;
}

/** The first header with a right checksum in the first 8 KiB. */
export function findMultibootHeader(kernel: Uint8Array): MultibootHeader | undefined {
  const view = new DataView(kernel.buffer, kernel.byteOffset, kernel.length);
  const end = Math.min(kernel.length, multiboot.searchBytes);
  for (let at = 0; at + multibootHeader.shortBytes <= end; at += 4) {
    if (view.getUint32(at + multibootHeader.magic, true) !== multiboot.headerMagic) continue;
    const flags = view.getUint32(at + multibootHeader.flags, true);
    const checksum = view.getUint32(at + multibootHeader.checksum, true);
    if ((multiboot.headerMagic + flags + checksum) >>> 0 !== 0) continue;
    if ((flags & multiboot.addressFields) === 0) return { offset: at, flags, addresses: undefined };
    if (at + multibootHeader.bytes > kernel.length) continue;
    const field = (offset: number): number => view.getUint32(at + offset, true);
    const addresses = {
      header: field(multibootHeader.headerAddress),
      load: field(multibootHeader.loadAddress),
      loadEnd: field(multibootHeader.loadEnd),
      bssEnd: field(multibootHeader.bssEnd),
      entry: field(multibootHeader.entry),
    };
    return { offset: at, flags, addresses };
  }
  return undefined;
}
