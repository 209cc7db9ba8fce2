/** MSI-X of a PCI function: the capability, and a BAR with table and pending bits. PCI Local Bus Specification 3.0, 6.8.2. */
import type { MsiTarget } from '../../device-model/interrupt.ts';
import type { AccessSize } from '../../device-model/port-io.ts';
import { msix, pciCapability } from '../../spec/pc/pci.ts';
import type { PciFunction, PciRegion } from './pci-function.ts';

const barBytes = 4096;
const pendingOffset = 2048;
const maxVectors = pendingOffset / msix.entrySize;

export class Msix {
  readonly vectors: number;
  readonly region: PciRegion;
  readonly #target: MsiTarget;
  readonly #table = new DataView(new ArrayBuffer(barBytes));
  #function: PciFunction | undefined;
  #capability = 0;

  /** @param bar the base address register of table and pending bits; @throws if there are more than 128 vectors */
  constructor(vectors: number, bar: number, target: MsiTarget) {
    if (vectors > maxVectors) throw new Error(`${vectors} MSI-X vectors`);
    this.vectors = vectors;
    this.#target = target;
    this.region = {
      bar,
      kind: 'memory',
      size: barBytes,
      read: (offset, size) => this.#read(offset, size),
      write: (offset, size, value) => this.#write(offset, size, value),
    };
    this.reset();
  }

  /** Adds the capability to the function that has `region` among its regions. */
  attach(pciFunction: PciFunction): void {
    const { bar } = this.region;
    const body = new DataView(new ArrayBuffer(msix.size));
    body.setUint16(msix.control, this.vectors - 1, true);
    body.setUint32(msix.table, bar, true);
    body.setUint32(msix.pendingBits, pendingOffset | bar, true);
    const writable = new DataView(new ArrayBuffer(msix.size));
    writable.setUint16(msix.control, msix.enable | msix.functionMask, true);
    const afterLink = (view: DataView): Uint8Array => new Uint8Array(view.buffer, 2);
    this.#function = pciFunction;
    this.#capability = pciFunction.addCapability(pciCapability.msix, afterLink(body), afterLink(writable));
  }

  /** Every vector is masked, none pending. */
  reset(): void {
    new Uint8Array(this.#table.buffer).fill(0);
    for (let vector = 0; vector < this.vectors; vector++)
      this.#table.setUint32(vector * msix.entrySize + msix.vectorControl, msix.masked, true);
  }

  get enabled(): boolean {
    return (this.#control & msix.enable) !== 0;
  }

  /** Sends the vector's message, now or when it is unmasked. */
  raise(vector: number): void {
    if (!this.enabled || vector >= this.vectors) return;
    if (this.#isMasked(vector)) this.#setPending(vector, true);
    else this.#send(vector);
  }

  /** Configuration space has changed: what was held back by the function's mask may go. */
  configWritten(): void {
    for (let vector = 0; vector < this.vectors; vector++) this.#sendPending(vector);
  }

  get #control(): number {
    return this.#function?.config.read(this.#capability + msix.control, 2) ?? 0;
  }

  /** A function that is no bus master sends nothing. */
  #isMasked(vector: number): boolean {
    if (this.#function?.busMaster !== true || (this.#control & msix.functionMask) !== 0) return true;
    return (this.#table.getUint32(vector * msix.entrySize + msix.vectorControl, true) & msix.masked) !== 0;
  }

  #isPending(vector: number): boolean {
    return (this.#table.getUint8(pendingOffset + (vector >> 3)) & (1 << (vector & 7))) !== 0;
  }

  #setPending(vector: number, on: boolean): void {
    const at = pendingOffset + (vector >> 3);
    const bit = 1 << (vector & 7);
    const others = this.#table.getUint8(at) & ~bit;
    this.#table.setUint8(at, on ? others | bit : others);
  }

  #sendPending(vector: number): void {
    if (!this.#isPending(vector) || !this.enabled || this.#isMasked(vector)) return;
    this.#setPending(vector, false);
    this.#send(vector);
  }

  #send(vector: number): void {
    const at = vector * msix.entrySize;
    const high = this.#table.getUint32(at + msix.addressHigh, true);
    const low = this.#table.getUint32(at + msix.addressLow, true);
    this.#target.deliver(high * 2 ** 32 + low, this.#table.getUint32(at + msix.data, true));
  }

  #read(offset: number, size: AccessSize): number {
    if (size === 1) return this.#table.getUint8(offset);
    return size === 2 ? this.#table.getUint16(offset, true) : this.#table.getUint32(offset, true);
  }

  /** Only aligned accesses of four bytes are defined; smaller ones change their bytes. Pending bits are read-only. */
  #write(offset: number, size: AccessSize, value: number): void {
    if (offset + size > this.vectors * msix.entrySize) return;
    for (let i = 0; i < size; i++) this.#table.setUint8(offset + i, (value >>> (8 * i)) & 0xff);
    this.#sendPending(Math.floor(offset / msix.entrySize));
  }
}
