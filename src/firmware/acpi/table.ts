/** What ACPI tables have in common: header, checksum, generic addresses. ACPI Specification 6.3, 5.2.3 and 5.2.6. */
import { sdtHeader } from '../../spec/acpi/tables.ts';

const oemId = 'CORBEL';
const oemTableId = 'CORBELPC';
const creatorId = 'CRBL';
const revision = 1;

/** A table of `bytes` bytes, header included, under construction. */
export class AcpiTable {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(signature: string, tableRevision: number, bytes: number) {
    this.bytes = new Uint8Array(bytes);
    this.view = new DataView(this.bytes.buffer);
    putText(this.bytes, 0, signature);
    this.view.setUint32(sdtHeader.length, bytes, true);
    this.view.setUint8(sdtHeader.revision, tableRevision);
    putText(this.bytes, sdtHeader.oemId, oemId);
    putText(this.bytes, sdtHeader.oemTableId, oemTableId);
    this.view.setUint32(sdtHeader.oemRevision, revision, true);
    putText(this.bytes, sdtHeader.creatorId, creatorId);
    this.view.setUint32(sdtHeader.creatorRevision, revision, true);
  }

  /** A generic address structure. */
  putAddress(offset: number, space: number, bitWidth: number, access: number, address: number): void {
    this.view.setUint8(offset, space);
    this.view.setUint8(offset + 1, bitWidth);
    this.view.setUint8(offset + 2, 0);
    this.view.setUint8(offset + 3, access);
    this.view.setBigUint64(offset + 4, BigInt(address), true);
  }

  /** Sets the checksum. @returns the finished table. */
  finish(): Uint8Array {
    this.bytes[sdtHeader.checksum] = 0;
    this.bytes[sdtHeader.checksum] = checksum(this.bytes);
    return this.bytes;
  }
}

/** The byte that makes the sum of all bytes zero. */
export function checksum(bytes: Uint8Array): number {
  return -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
}

export function putText(bytes: Uint8Array, offset: number, text: string): void {
  for (let index = 0; index < text.length; index++) bytes[offset + index] = text.charCodeAt(index);
}
