/** Local APICs that are wired through shared words only, as those of processors on different threads are. */
import { ManualClock, TimerQueue } from '../../../device-model/time.ts';
import { apicRegister } from '../../../spec/x86/apic.ts';
import { ApicBus } from '../apic-bus.ts';
import { allocateApicMail } from '../apic-mail.ts';
import { IoApic } from '../io-apic.ts';
import type { LocalApic } from '../local-apic.ts';
import { connectApics } from '../remote-apic.ts';
import { createTestApic, writePage } from './apic-bench.ts';

export interface TestThread {
  readonly bus: ApicBus;
  readonly apic: LocalApic;
  /** What the APIC told its processor, in order. */
  readonly events: string[];
}

/** The thread of one processor. @param kick tells another */
export function createThread(
  mail: SharedArrayBuffer,
  ids: readonly number[],
  processor: number,
  kick: (processor: number) => void,
): TestThread {
  const bus = new ApicBus();
  const timers = new TimerQueue(new ManualClock());
  const events: string[] = [];
  const apic = connectApics(bus, { mail, processor, kick }, (box) =>
    createTestApic({ id: ids[processor] ?? 0, bootstrapProcessor: processor === 0, bus, timers, box }, events),
  );
  return { bus, apic, events };
}

export class ApicThreads {
  readonly threads: readonly TestThread[];
  /** On the first thread. */
  readonly ioApic: IoApic;
  /** Which processors were told to look into their boxes since the last `deliver`. */
  readonly kicked: number[] = [];

  constructor(ids: readonly number[]) {
    const mail = allocateApicMail(ids);
    this.threads = ids.map((_, processor) => createThread(mail, ids, processor, (other) => this.kicked.push(other)));
    this.ioApic = new IoApic(this.at(0).bus, 1);
  }

  at(processor: number): TestThread {
    const thread = this.threads[processor];
    if (thread === undefined) throw new RangeError(`no processor ${processor}`);
    return thread;
  }

  enableAll(): void {
    for (const { apic } of this.threads) writePage(apic, apicRegister.spuriousVector, 0x1ff);
  }

  /** Every processor that was told to comes to the end of its slice. @returns them */
  deliver(): number[] {
    const kicked = this.kicked.splice(0);
    for (const processor of kicked) this.at(processor).apic.takeMail();
    return kicked;
  }
}
