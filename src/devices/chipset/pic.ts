/**
 * The 8259A pair of a PC with its edge/level control registers.
 *
 * As on the chip, an edge request lives only while its line stays high: a device holds the line until the guest serves it.
 * A line that falls before the acknowledge gives the default vector (IRQ7, or IRQ15 from the slave).
 * Source: Intel 8259A datasheet; ELCR: PIIX3 datasheet 2.5.3.
 */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { PortBus, PortHandler } from '../../device-model/port-io.ts';
import { elcrWritable, picCascadeInput, picPort } from '../../spec/pc/pic.ts';
import { PicChip, type PicChipState } from './pic-chip.ts';

export interface PicState {
  master: PicChipState;
  slave: PicChipState;
}

export class Pic implements Device<PicState>, PortHandler {
  readonly portWidth = 1;
  readonly #intr: IrqLine;
  readonly #master = new PicChip(true);
  readonly #slave = new PicChip(false);
  /** What INTR was last told. */
  #asserted = false;

  /** @param intr the CPU's INTR pin: high while some request waits for `acknowledge`. */
  constructor(intr: IrqLine) {
    this.#intr = intr;
  }

  attach(ports: PortBus): void {
    ports.map(picPort.masterCommand, picPort.masterData, this);
    ports.map(picPort.slaveCommand, picPort.slaveData, this);
    ports.map(picPort.elcrMaster, picPort.elcrSlave, this);
  }

  /** The wire of ISA interrupt `irq` (0…15). IRQ2 is the cascade: what is set there is ignored. */
  irq(irq: number): IrqLine {
    const chip = irq < 8 ? this.#master : this.#slave;
    if (irq === picCascadeInput) return { set: () => {} };
    return {
      set: (level) => {
        chip.setInput(irq & 7, level);
        this.#update();
      },
    };
  }

  /** The CPU's interrupt acknowledge cycles. @returns the vector; spurious cycles give IRQ7's or IRQ15's. */
  acknowledge(): number {
    const input = this.#master.take();
    const vector = input === picCascadeInput ? this.#slave.vector(this.#takeSlave()) : this.#master.vector(input);
    this.#update();
    return vector;
  }

  /** The slave drops INT while it is acknowledged, so that a further request of its own is a new edge at the master. */
  #takeSlave(): number {
    const input = this.#slave.take();
    this.#master.setInput(picCascadeInput, false);
    return input;
  }

  /** Whether INTR is high. */
  get asserted(): boolean {
    return this.#asserted;
  }

  reset(): void {
    this.#master.reset();
    this.#slave.reset();
    this.#update();
  }

  save(): PicState {
    return { master: this.#master.save(), slave: this.#slave.save() };
  }

  restore(state: PicState): void {
    this.#master.restore(state.master);
    this.#slave.restore(state.slave);
    this.#update();
  }

  readPort(port: number): number {
    switch (port) {
      case picPort.masterCommand:
        return this.#read(this.#master, true);
      case picPort.masterData:
        return this.#read(this.#master, false);
      case picPort.slaveCommand:
        return this.#read(this.#slave, true);
      case picPort.slaveData:
        return this.#read(this.#slave, false);
      case picPort.elcrMaster:
        return this.#master.levelTriggered;
      default:
        return this.#slave.levelTriggered;
    }
  }

  writePort(port: number, _size: number, value: number): void {
    switch (port) {
      case picPort.masterCommand:
        this.#master.writeCommand(value);
        break;
      case picPort.masterData:
        this.#master.writeData(value);
        break;
      case picPort.slaveCommand:
        this.#slave.writeCommand(value);
        break;
      case picPort.slaveData:
        this.#slave.writeData(value);
        break;
      case picPort.elcrMaster:
        this.#master.levelTriggered = value & elcrWritable.master;
        break;
      default:
        this.#slave.levelTriggered = value & elcrWritable.slave;
        break;
    }
    this.#update();
  }

  #read(chip: PicChip, command: boolean): number {
    if (!chip.polled) return command ? chip.readCommand() : chip.readData();
    const value = chip.readPoll();
    if (chip === this.#slave) this.#master.setInput(picCascadeInput, false);
    this.#update();
    return value;
  }

  #update(): void {
    this.#master.setInput(picCascadeInput, this.#slave.pending() >= 0);
    const asserted = this.#master.pending() >= 0;
    if (asserted === this.#asserted) return;
    this.#asserted = asserted;
    this.#intr.set(asserted);
  }
}
