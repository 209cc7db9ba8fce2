/**
 * Memory-mapped I/O as one processor sees it: its own local APIC's page lies in front of the board's devices, wherever
 * the guest has put it with IA32_APIC_BASE. SDM Vol. 3A 12.4.1.
 */
import { MmioBus } from '../device-model/mmio.ts';
import type { AccessSize } from '../device-model/port-io.ts';
import type { LocalApic } from '../devices/apic/local-apic.ts';
import { apicBase } from '../spec/x86/apic.ts';

export class ProcessorMmio extends MmioBus {
  readonly #board: MmioBus;
  readonly #apic: LocalApic;
  #page: number;

  constructor(board: MmioBus, apic: LocalApic) {
    super();
    this.#board = board;
    this.#apic = apic;
    this.#page = apic.mmioAddress;
  }

  /** The page has moved, appeared or vanished. */
  apicMoved(): void {
    this.#page = this.#apic.mmioAddress;
  }

  #inPage(address: number): boolean {
    return this.#page >= 0 && address >= this.#page && address < this.#page + apicBase.pageBytes;
  }

  override read(address: number, size: AccessSize): number {
    if (!this.#inPage(address)) return this.#board.read(address, size);
    const value = this.#apic.readMmio(address - this.#page, size);
    return size === 4 ? value >>> 0 : value & ((1 << (size * 8)) - 1);
  }

  override write(address: number, size: AccessSize, value: number): void {
    if (this.#inPage(address)) this.#apic.writeMmio(address - this.#page, size, value >>> 0);
    else this.#board.write(address, size, value);
  }
}
