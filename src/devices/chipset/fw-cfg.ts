/**
 * fw_cfg: named read-only blobs for firmware and guest drivers, and a few that the guest may write.
 * Read by bytes at port 511h or in one piece by DMA. Descriptors are the guest's and may say anything: what does not fit
 * sets the error bit. Source: QEMU documentation, "QEMU Firmware Configuration (fw_cfg) Device".
 */
import type { Device } from '../../device-model/device.ts';
import type { PortBus, PortHandler } from '../../device-model/port-io.ts';
import type { GuestMemory } from '../../memory/guest-memory.ts';
import {
  fwCfgDma,
  fwCfgDmaSignature,
  fwCfgFile,
  fwCfgId,
  fwCfgKey,
  fwCfgPort,
  fwCfgSelector,
  fwCfgSignature,
} from '../../spec/pc/fw-cfg.ts';

export interface FwCfgState {
  selected: number;
  offset: number;
  dmaHigh: number;
  /** Contents of the writable items by selector. */
  written: [number, Uint8Array][];
}

interface Item {
  readonly bytes: Uint8Array;
  /** Told after the guest has written; absent for read-only items. */
  readonly onWrite?: (bytes: Uint8Array) => void;
}

const zeros = new Uint8Array(65_536);

export class FwCfg implements Device<FwCfgState> {
  readonly #memory: GuestMemory;
  readonly #items = new Map<number, Item>();
  readonly #files: { name: string; key: number; size: number }[] = [];
  #selected: number = fwCfgKey.signature;
  #offset = 0;
  #dmaHigh = 0;

  /** @param memory what DMA descriptors point into. */
  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.addItem(fwCfgKey.signature, ascii(fwCfgSignature));
    this.addItem(fwCfgKey.id, Uint8Array.of(fwCfgId.traditional | fwCfgId.dma, 0, 0, 0));
    this.#updateDirectory();
  }

  attach(ports: PortBus): void {
    ports.map(fwCfgPort.selector, fwCfgPort.selector, this.#selectorPort());
    ports.map(fwCfgPort.data, fwCfgPort.data, this.#dataPort());
    ports.map(fwCfgPort.dmaHigh, fwCfgPort.dmaLow + 3, this.#dmaPort());
  }

  /** Adds an item that has a fixed selector instead of a name. */
  addItem(key: number, bytes: Uint8Array): void {
    this.#items.set(key, { bytes });
  }

  /**
   * Adds a file to the directory.
   * @param onWrite makes the file writable (by DMA, in place); called after each write with the whole contents.
   * @throws if the name is empty, not ASCII, too long or taken: names are ours, not the guest's.
   */
  add(name: string, bytes: Uint8Array, onWrite?: (bytes: Uint8Array) => void): void {
    if (!/^[\x21-\x7e]{1,55}$/.test(name))
      throw new Error(`fw_cfg file name "${name}" is not 1 to 55 ASCII characters`);
    if (this.#files.some((file) => file.name === name)) throw new Error(`fw_cfg file "${name}" is added twice`);
    const key = fwCfgKey.firstFile + this.#files.length;
    this.#files.push({ name, key, size: bytes.length });
    this.#items.set(key, onWrite === undefined ? { bytes } : { bytes: bytes.slice(), onWrite });
    this.#updateDirectory();
  }

  #updateDirectory(): void {
    const bytes = new Uint8Array(4 + this.#files.length * fwCfgFile.entrySize);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.#files.length);
    this.#files.forEach(({ name, key, size }, index) => {
      const at = 4 + index * fwCfgFile.entrySize;
      view.setUint32(at, size);
      view.setUint16(at + 4, key);
      bytes.set(ascii(name), at + fwCfgFile.nameOffset);
    });
    this.addItem(fwCfgKey.fileDirectory, bytes);
  }

  /** Items stay, and so does what the guest has written to them. */
  reset(): void {
    this.#select(fwCfgKey.signature);
    this.#dmaHigh = 0;
  }

  save(): FwCfgState {
    const written = [...this.#items].filter(([, item]) => item.onWrite !== undefined);
    return {
      selected: this.#selected,
      offset: this.#offset,
      dmaHigh: this.#dmaHigh,
      written: written.map(([key, item]) => [key, item.bytes.slice()]),
    };
  }

  /** The same files must have been added before. */
  restore(state: FwCfgState): void {
    this.#selected = state.selected;
    this.#offset = state.offset;
    this.#dmaHigh = state.dmaHigh;
    for (const [key, bytes] of state.written) this.#items.get(key)?.bytes.set(bytes);
  }

  #selectorPort(): PortHandler {
    return {
      portWidth: 2,
      // Write-only. A byte write reaches only the low half of the number.
      readPort: () => 0,
      writePort: (_port, _size, value) => this.#select(value),
    };
  }

  #dataPort(): PortHandler {
    return { portWidth: 1, readPort: () => this.#readByte(), writePort: () => {} };
  }

  #dmaPort(): PortHandler {
    const signature = (offset: number): number => {
      const word = offset < 4 ? fwCfgDmaSignature.high : fwCfgDmaSignature.low;
      return (word >>> (24 - 8 * (offset & 3))) & 0xff;
    };
    return {
      portWidth: 4,
      readPort: (port, size) => {
        let value = 0;
        for (let i = 0; i < size; i++) value += signature((port - fwCfgPort.dmaHigh + i) & 7) * 256 ** i;
        return value;
      },
      writePort: (port, size, value) => {
        if (size !== 4) return;
        if (port === fwCfgPort.dmaHigh) this.#dmaHigh = swap32(value);
        else if (port === fwCfgPort.dmaLow) this.#dma(swap32(value));
      },
    };
  }

  #select(selector: number): void {
    this.#selected = selector & ~fwCfgSelector.write;
    this.#offset = 0;
  }

  #item(): Item | undefined {
    return this.#items.get(this.#selected);
  }

  /** Past the end of an item, and in items that are not there, there are zeros. */
  #readByte(): number {
    const bytes = this.#item()?.bytes;
    if (bytes === undefined || this.#offset >= bytes.length) return 0;
    return bytes[this.#offset++] as number;
  }

  /** Runs the descriptor at `low` and the latched high half; the write of the low half starts it and clears the high. */
  #dma(low: number): void {
    const address = this.#dmaHigh * 2 ** 32 + low;
    this.#dmaHigh = 0;
    // A descriptor outside RAM has no place for an error bit either.
    if (!this.#memory.isRam(address, fwCfgDma.descriptorSize)) return;
    const raw = this.#memory.read(address, fwCfgDma.descriptorSize);
    const view = new DataView(raw.buffer, raw.byteOffset);
    const control = view.getUint32(0);
    const buffer = view.getUint32(8) * 2 ** 32 + view.getUint32(12);
    if ((control & fwCfgDma.select) !== 0) this.#select(control >>> 16);
    const done = this.#transfer(control, view.getUint32(4), buffer);
    this.#memory.writeU32(address, done ? 0 : swap32(fwCfgDma.error));
  }

  #transfer(control: number, length: number, address: number): boolean {
    if ((control & fwCfgDma.read) !== 0) return this.#dmaRead(address, length);
    if ((control & fwCfgDma.write) !== 0) return this.#dmaWrite(address, length);
    if ((control & fwCfgDma.skip) !== 0) this.#advance(length);
    return true;
  }

  #advance(length: number): void {
    this.#offset = Math.min(this.#offset + length, this.#item()?.bytes.length ?? 0);
  }

  #dmaRead(address: number, length: number): boolean {
    if (length === 0) return true;
    if (!this.#memory.isRam(address, length)) return false;
    const bytes = this.#item()?.bytes ?? zeros.subarray(0, 0);
    const chunk = bytes.subarray(this.#offset, this.#offset + length);
    this.#memory.write(address, chunk);
    for (let done = chunk.length; done < length; done += zeros.length) {
      this.#memory.write(address + done, zeros.subarray(0, Math.min(zeros.length, length - done)));
    }
    this.#advance(length);
    return true;
  }

  #dmaWrite(address: number, length: number): boolean {
    const item = this.#item();
    if (item?.onWrite === undefined || this.#offset + length > item.bytes.length) return false;
    if (!this.#memory.isRam(address, length)) return false;
    item.bytes.set(this.#memory.read(address, length), this.#offset);
    this.#advance(length);
    item.onWrite(item.bytes);
    return true;
  }
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function swap32(value: number): number {
  return (
    ((value & 0xff) * 0x100_0000 + ((value & 0xff00) << 8) + ((value >>> 8) & 0xff00) + ((value >>> 24) & 0xff)) >>> 0
  );
}
