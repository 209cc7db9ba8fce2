/** 82371SB (PIIX3) function 0: the PCI-to-ISA bridge, for its identity and its PIRQ routing. Source: 82371SB datasheet. */
import type { Device } from '../../device-model/device.ts';
import type { IrqLine } from '../../device-model/interrupt.ts';
import { intelId, pciClass, piix3 } from '../../spec/pc/pci.ts';
import { PciFunction, type PciFunctionState } from './pci-function.ts';

export interface IsaBridgeState {
  function: PciFunctionState;
  pirqLevels: boolean[];
}

export class IsaBridge implements Device<IsaBridgeState> {
  /** To be plugged in at 00:01.0. */
  readonly pciFunction: PciFunction;
  readonly #isaIrq: (irq: number) => IrqLine;
  readonly #lines = new Map<number, IrqLine>();
  #pirqLevels = [false, false, false, false];

  /** @param isaIrq the wire of an ISA interrupt as this bridge drives it (a `WiredOr` input where it is shared). */
  constructor(isaIrq: (irq: number) => IrqLine) {
    this.#isaIrq = isaIrq;
    this.pciFunction = new PciFunction(
      { vendorId: intelId.vendor, deviceId: intelId.isaBridgePiix3, revision: 0, classCode: pciClass.isaBridge },
      { onConfigWrite: () => this.#route() },
    );
    const { config } = this.pciFunction;
    for (let pirq = 0; pirq < 4; pirq++) {
      config.set(piix3.pirqRoute + pirq, 1, piix3.pirqDisable);
      config.allowWrite(piix3.pirqRoute + pirq, 1, piix3.pirqDisable | piix3.pirqIrqMask);
    }
    config.allowWrite(piix3.deterministicLatency, 1, piix3.deterministicLatencyMask);
    config.freeze();
  }

  /** The input of PIRQA (0) to PIRQD (3). */
  pirq(index: number): IrqLine {
    return {
      set: (level) => {
        this.#pirqLevels[index] = level;
        this.#route();
      },
    };
  }

  /** Routes the PIRQs as a BIOS does before it hands over; 0 leaves one unrouted. */
  programRoutes(irqs: readonly [number, number, number, number]): void {
    irqs.forEach((irq, pirq) => {
      this.pciFunction.writeConfig(piix3.pirqRoute + pirq, 1, irq === 0 ? piix3.pirqDisable : irq);
    });
  }

  reset(): void {
    this.pciFunction.reset();
    this.#route();
  }

  save(): IsaBridgeState {
    return { function: this.pciFunction.save(), pirqLevels: [...this.#pirqLevels] };
  }

  restore(state: IsaBridgeState): void {
    this.#pirqLevels = [...state.pirqLevels];
    this.pciFunction.restore(state.function);
    this.#route();
  }

  /** An ISA interrupt is up while any PIRQ that is routed to it is. */
  #route(): void {
    let levels = 0;
    let routed = 0;
    for (let pirq = 0; pirq < 4; pirq++) {
      const route = this.pciFunction.config.read(piix3.pirqRoute + pirq, 1);
      const bit = 1 << (route & piix3.pirqIrqMask);
      if ((route & piix3.pirqDisable) !== 0 || (bit & piix3.routable) === 0) continue;
      routed |= bit;
      if (this.#pirqLevels[pirq]) levels |= bit;
    }
    for (let irq = 0; irq < 16; irq++) {
      if ((routed & (1 << irq)) !== 0 && !this.#lines.has(irq)) this.#lines.set(irq, this.#isaIrq(irq));
      this.#lines.get(irq)?.set((levels & (1 << irq)) !== 0);
    }
  }
}
