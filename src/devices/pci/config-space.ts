/** The 256 bytes of a PCI function's configuration space, with what the guest may change byte by byte. */
import type { AccessSize } from '../../device-model/port-io.ts';
import { pciConfig } from '../../spec/pc/pci.ts';

export class ConfigSpace {
  readonly #bytes = new Uint8Array(pciConfig.size);
  /** Bits that a guest write replaces. */
  readonly #writable = new Uint8Array(pciConfig.size);
  /** Bits that a guest write of one clears. */
  readonly #clearable = new Uint8Array(pciConfig.size);
  #powerOn: Uint8Array | undefined;

  /** A guest read. Past the end there are ones. Unsigned. */
  read(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value += (this.#bytes[offset + i] ?? 0xff) * 256 ** i;
    return value;
  }

  /** A guest write; bits that are neither writable nor clearable stay. */
  write(offset: number, size: AccessSize, value: number): void {
    for (let at = offset, i = 0; i < size && at < pciConfig.size; at++, i++) {
      const byte = (value >>> (8 * i)) & 0xff;
      const old = this.#bytes[at] as number;
      const writable = this.#writable[at] as number;
      this.#bytes[at] = ((old & ~writable) | (byte & writable)) & ~(byte & (this.#clearable[at] as number));
    }
  }

  /** The device's own write: no masks. */
  set(offset: number, size: AccessSize, value: number): void {
    for (let i = 0; i < size; i++) this.#bytes[offset + i] = (value >>> (8 * i)) & 0xff;
  }

  allowWrite(offset: number, size: AccessSize, mask: number): void {
    for (let i = 0; i < size; i++) this.#writable[offset + i] = byteOf(mask, i);
  }

  allowClear(offset: number, size: AccessSize, mask: number): void {
    for (let i = 0; i < size; i++) this.#clearable[offset + i] = byteOf(mask, i);
  }

  /** Declares the present contents to be what `reset` brings back. */
  freeze(): void {
    this.#powerOn = this.#bytes.slice();
  }

  reset(): void {
    if (this.#powerOn !== undefined) this.#bytes.set(this.#powerOn);
  }

  save(): Uint8Array {
    return this.#bytes.slice();
  }

  restore(bytes: Uint8Array): void {
    this.#bytes.set(bytes);
  }
}

const byteOf = (value: number, index: number): number => (value >>> (8 * index)) & 0xff;
