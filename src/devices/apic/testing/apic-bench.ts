/** A bus with local APICs whose processors only take notes. */
import { ManualClock, TimerQueue } from '../../../device-model/time.ts';
import { apicRegister } from '../../../spec/x86/apic.ts';
import { ApicBus } from '../apic-bus.ts';
import { LocalApic } from '../local-apic.ts';
import type { LocalApicWiring } from '../local-apic-wiring.ts';

export interface TestProcessor {
  readonly apic: LocalApic;
  /** What the APIC told its processor, in order. */
  readonly events: string[];
}

/** An APIC that tells `events`. The TSC counts nanoseconds and started at 1,000 when the machine was switched on. */
export function createTestApic(
  wiring: Pick<LocalApicWiring, 'id' | 'bootstrapProcessor' | 'bus' | 'timers' | 'box'>,
  events: string[],
  externalVector = (): number => 0x20,
): LocalApic {
  return new LocalApic({
    ...wiring,
    physicalAddressBits: 40,
    tscToNs: (tsc) => Number(tsc) - 1_000,
    processor: {
      changed: () => events.push('changed'),
      nmi: () => events.push('nmi'),
      init: () => events.push('init'),
      startUp: (vector) => events.push(`startUp ${vector.toString(16)}`),
      externalVector,
      mmioMoved: () => events.push('mmioMoved'),
    },
  });
}

export class ApicBench {
  readonly clock = new ManualClock();
  readonly timers = new TimerQueue(this.clock);
  readonly bus = new ApicBus();
  readonly processors: TestProcessor[];
  /** What the 8259 pair answers to the next INTA cycle. */
  externalVector = 0x20;

  constructor(ids: readonly number[] = [0]) {
    this.processors = ids.map((id, index) => {
      const events: string[] = [];
      const wiring = { id, bootstrapProcessor: index === 0, bus: this.bus, timers: this.timers };
      const apic = createTestApic(wiring, events, () => this.externalVector);
      return { apic, events };
    });
  }

  get apic(): LocalApic {
    return this.cpu(0).apic;
  }

  cpu(index: number): TestProcessor {
    const processor = this.processors[index];
    if (processor === undefined) throw new RangeError(`no processor ${index}`);
    return processor;
  }

  /** Enables every APIC by software, as an operating system does first. */
  enableAll(): void {
    for (const { apic } of this.processors) writePage(apic, apicRegister.spuriousVector, 0x1ff);
  }

  run(ns: number): void {
    this.clock.advance(ns);
    this.timers.runExpired();
  }
}

export const readPage = (apic: LocalApic, offset: number): number => apic.readMmio(offset, 4) >>> 0;
export const writePage = (apic: LocalApic, offset: number, value: number): void => apic.writeMmio(offset, 4, value);

/** Takes every deliverable interrupt without ending any. @returns the vectors, in order. */
export function takeAll(apic: LocalApic): number[] {
  const vectors: number[] = [];
  while (apic.hasInterrupt() && vectors.length < 256) vectors.push(apic.acknowledge());
  return vectors;
}
