/** A processor of the test "on threads of their own": a guest that answers, and sends, interprocessor interrupts. */
import { workerData } from 'node:worker_threads';
import { apicRegister as reg } from '../../../spec/x86/apic.ts';
import { createThread } from './apic-threads.ts';

export interface ApicWorkerData {
  readonly mail: SharedArrayBuffer;
  readonly ids: readonly number[];
  readonly processor: number;
  readonly rounds: number;
  /** A word for each processor to sleep on, the number of processors that are ready, and that of those that are done. */
  readonly bells: SharedArrayBuffer;
  /** For each pair: 1 from the sending of an interrupt until its handler has run. */
  readonly pending: SharedArrayBuffer;
  /** Handled interrupts, by receiver × sender. */
  readonly handled: SharedArrayBuffer;
  /** Interrupts that came without having been sent. */
  readonly unasked: SharedArrayBuffer;
}

const { mail, ids, processor, rounds, ...buffers } = workerData as ApicWorkerData;
const count = ids.length;
const bells = new Int32Array(buffers.bells);
const [ready, done] = [count, count + 1];
const pending = new Int32Array(buffers.pending);
const handled = new Int32Array(buffers.handled);
const unasked = new Int32Array(buffers.unasked);
const firstVector = 0x40;

const { apic } = createThread(mail, ids, processor, (other) => {
  Atomics.add(bells, other, 1);
  Atomics.notify(bells, other);
});
apic.write32(reg.spuriousVector, 0x1ff);

/** One vector a sender: a handler runs for an interrupt that was sent, and once. */
function handle(): boolean {
  apic.takeMail();
  if (!apic.hasInterrupt()) return false;
  while (apic.hasInterrupt()) {
    const sender = apic.acknowledge() - firstVector;
    const pair = processor * count + sender;
    if (Atomics.exchange(pending, pair, 0) !== 1) Atomics.add(unasked, 0, 1);
    Atomics.add(handled, pair, 1);
    apic.write32(reg.endOfInterrupt, 0);
    Atomics.add(bells, sender, 1);
    Atomics.notify(bells, sender);
  }
  return true;
}

/** Sends to everyone whose vector of ours is idle. @returns whether nothing is left to send */
function send(left: number[]): boolean {
  for (let other = 0; other < count; other++) {
    const pair = other * count + processor;
    if (other === processor || (left[other] ?? 0) === 0 || Atomics.load(pending, pair) !== 0) continue;
    left[other] = (left[other] ?? 0) - 1;
    Atomics.store(pending, pair, 1);
    apic.write32(reg.interruptCommandHigh, (ids[other] ?? 0) << 24);
    apic.write32(reg.interruptCommandLow, firstVector + processor);
  }
  return left.every((rest, other) => rest === 0 || other === processor);
}

/** Sleeps until somebody rings, if nobody has since `bell`. */
const sleep = (bell: number): void => void Atomics.wait(bells, processor, bell);

function ringAll(): void {
  for (let other = 0; other < count; other++) {
    Atomics.add(bells, other, 1);
    Atomics.notify(bells, other);
  }
}

function meet(word: number): void {
  Atomics.add(bells, word, 1);
  ringAll();
  for (;;) {
    const bell = Atomics.load(bells, processor);
    if (Atomics.load(bells, word) >= count) return;
    if (!handle()) sleep(bell);
  }
}

meet(ready);
const left = new Array<number>(count).fill(rounds);
for (;;) {
  const bell = Atomics.load(bells, processor);
  const worked = handle();
  if (send(left)) break;
  if (!worked) sleep(bell);
}
while (Array.from({ length: count }, (_, other) => pending[other * count + processor]).some((each) => each !== 0)) {
  const bell = Atomics.load(bells, processor);
  if (!handle()) sleep(bell);
}
meet(done);
handle();
