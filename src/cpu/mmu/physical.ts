/** Moves bytes between the vCPU's memory and guest-physical addresses, RAM or device, within one page. */
import type { MmioBus } from '../../device-model/mmio.ts';
import type { GuestMemory } from '../../memory/guest-memory.ts';
import type { RamMoves } from '../interpret/shared-functions.ts';
import type { WriteLog } from './write-log.ts';

const isSingle = (bytes: number): boolean => bytes <= 16 && (bytes & (bytes - 1)) === 0;

export class PhysicalAccess {
  readonly #view: DataView;
  readonly #memory: GuestMemory;
  readonly #ram: DataView;
  readonly #mmio: MmioBus;
  readonly #log: WriteLog;
  /** The processor's, once it has them: single values move in one access. */
  moves: RamMoves | undefined;

  constructor(view: DataView, memory: GuestMemory, mmio: MmioBus, log: WriteLog) {
    this.#view = view;
    this.#memory = memory;
    this.#ram = new DataView(memory.bytes.buffer, 0, memory.size);
    this.#mmio = mmio;
    this.#log = log;
  }

  /** Copies `bytes` at `physical` to `address` in the vCPU's memory, 4, then 2, then 1 at a time. */
  copyIn(physical: number, address: number, bytes: number): void {
    const from = this.#memory.ramOffset(physical);
    if (from < 0) this.#deviceIn(physical, address, bytes);
    else this.ramIn(from, address, bytes);
  }

  /** The same from an offset into RAM. */
  ramIn(from: number, address: number, bytes: number): void {
    if (this.moves !== undefined && isSingle(bytes)) {
      this.moves.fromRam(from, address, bytes);
      return;
    }
    const view = this.#view;
    const ram = this.#ram;
    let done = 0;
    for (; bytes - done >= 4; done += 4) view.setUint32(address + done, ram.getUint32(from + done, true), true);
    if ((bytes & 2) !== 0) view.setUint16(address + done, ram.getUint16(from + done, true), true);
    if ((bytes & 1) !== 0) view.setUint8(address + bytes - 1, ram.getUint8(from + bytes - 1));
  }

  /** Copies `bytes` at `address` in the vCPU's memory to `physical`. */
  copyOut(physical: number, address: number, bytes: number): void {
    const to = this.#memory.ramOffset(physical);
    if (to < 0) {
      this.#deviceOut(physical, address, bytes);
      return;
    }
    if (this.#log.active) this.#log.note(to, bytes);
    this.#memory.markWritten(to, bytes);
    this.ramOut(to, address, bytes);
    this.#memory.written(to, bytes);
  }

  /** The same to an offset into RAM, of which the write is announced already. */
  ramOut(to: number, address: number, bytes: number): void {
    if (this.moves !== undefined && isSingle(bytes)) {
      this.moves.toRam(to, address, bytes);
      return;
    }
    const view = this.#view;
    const ram = this.#ram;
    let done = 0;
    for (; bytes - done >= 4; done += 4) ram.setUint32(to + done, view.getUint32(address + done, true), true);
    if ((bytes & 2) !== 0) ram.setUint16(to + done, view.getUint16(address + done, true), true);
    if ((bytes & 1) !== 0) ram.setUint8(to + bytes - 1, view.getUint8(address + bytes - 1));
  }

  #deviceIn(physical: number, address: number, bytes: number): void {
    this.#log.device = true;
    const view = this.#view;
    const mmio = this.#mmio;
    let done = 0;
    for (; bytes - done >= 4; done += 4) view.setUint32(address + done, mmio.read(physical + done, 4), true);
    if ((bytes & 2) !== 0) view.setUint16(address + done, mmio.read(physical + done, 2), true);
    if ((bytes & 1) !== 0) view.setUint8(address + bytes - 1, mmio.read(physical + bytes - 1, 1));
  }

  #deviceOut(physical: number, address: number, bytes: number): void {
    this.#log.device = true;
    const view = this.#view;
    const mmio = this.#mmio;
    let done = 0;
    for (; bytes - done >= 4; done += 4) mmio.write(physical + done, 4, view.getUint32(address + done, true));
    if ((bytes & 2) !== 0) mmio.write(physical + done, 2, view.getUint16(address + done, true));
    if ((bytes & 1) !== 0) mmio.write(physical + bytes - 1, 1, view.getUint8(address + bytes - 1));
  }
}
