/** The wires between the boot processor and its board. */
import type { InterruptSource } from '../cpu/processor.ts';
import type { Vcpu } from '../cpu/vcpu.ts';
import type { LocalApic } from '../devices/apic/local-apic.ts';

/** What the board drives at the boot processor. */
export interface ProcessorPins {
  /** INTR has changed: a running slice ends, so that the processor looks at it. */
  interruptChanged(): void;
  nmi(): void;
  setA20(open: boolean): void;
  /** Nanoseconds since power-on at which the guest's time-stamp counter reaches `tsc`; the past may be negative. */
  tscToNs(tsc: bigint): number;
}

/** Board and processor need each other: the board is built on these pins, the processor is put in afterwards. */
export class ProcessorSocket implements ProcessorPins {
  #vcpu: Vcpu | undefined;
  #a20Open = true;

  insert(vcpu: Vcpu): void {
    this.#vcpu = vcpu;
    vcpu.setA20(this.#a20Open);
  }

  interruptChanged(): void {
    this.#vcpu?.kick();
  }

  nmi(): void {
    this.#vcpu?.signalNmi();
  }

  setA20(open: boolean): void {
    this.#a20Open = open;
    this.#vcpu?.setA20(open);
  }

  tscToNs(tsc: bigint): number {
    return Number(tsc - BigInt.asIntN(64, this.#vcpu?.tscAdjust ?? 0n));
  }
}

/** INTR of the processor: its local APIC, which passes the 8259 pair through (ExtINT) when it is told to. */
export function interruptSource(apic: LocalApic): InterruptSource {
  return {
    hasInterrupt: () => apic.hasInterrupt(),
    acknowledge: () => apic.acknowledge(),
    get taskPriority(): number {
      return apic.cr8;
    },
    set taskPriority(value: number) {
      apic.cr8 = value;
    },
  };
}
