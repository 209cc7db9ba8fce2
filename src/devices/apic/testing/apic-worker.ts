/** A processor of the test "on threads of their own": a guest that answers, and sends, interprocessor interrupts. */
import { workerData } from 'node:worker_threads';
import { apicRegister as reg } from '../../../spec/x86/apic.ts';
import { createThread } from './apic-threads.ts';

export interface ApicWorkerData {
  readonly mail: SharedArrayBuffer;
  readonly ids: readonly number[];
  readonly processor: number;
  /** Vectors that each sender has; those of all senders lie among each other. */
  readonly lanes: number;
  /** Interrupts on each of them to each receiver. */
  readonly rounds: number;
  /** A word for each processor to sleep on, the number of processors that are ready, and that of those that are done. */
  readonly bells: SharedArrayBuffer;
  /** By receiver, sender and lane: 1 from the sending of an interrupt until its handler has run. */
  readonly pending: SharedArrayBuffer;
  /** Handled interrupts, by the same. */
  readonly handled: SharedArrayBuffer;
  /** Interrupts that came without having been sent. */
  readonly unasked: SharedArrayBuffer;
}

const { mail, ids, processor, lanes, rounds, ...buffers } = workerData as ApicWorkerData;
const count = ids.length;
const bells = new Int32Array(buffers.bells);
const [ready, done] = [count, count + 1];
const pending = new Int32Array(buffers.pending);
const handled = new Int32Array(buffers.handled);
const unasked = new Int32Array(buffers.unasked);
const firstVector = 0x20;

const { apic } = createThread(mail, ids, processor, (other) => {
  Atomics.add(bells, other, 1);
  Atomics.notify(bells, other);
});
apic.write32(reg.spuriousVector, 0x1ff);

const slotOf = (receiver: number, sender: number, lane: number): number => (receiver * count + sender) * lanes + lane;

/** A handler runs for an interrupt that was sent, and once. */
function handle(): boolean {
  apic.takeMail();
  if (!apic.hasInterrupt()) return false;
  while (apic.hasInterrupt()) {
    const number = apic.acknowledge() - firstVector;
    const sender = number % count;
    const slot = slotOf(processor, sender, Math.floor(number / count));
    if (Atomics.exchange(pending, slot, 0) !== 1) Atomics.add(unasked, 0, 1);
    Atomics.add(handled, slot, 1);
    apic.write32(reg.endOfInterrupt, 0);
    Atomics.add(bells, sender, 1);
    Atomics.notify(bells, sender);
  }
  return true;
}

/** Sends what is idle. @returns whether nothing is left to send */
function send(left: Int32Array): boolean {
  for (let lane = 0; lane < lanes; lane++) {
    for (let other = 0; other < count; other++) {
      const slot = slotOf(other, processor, lane);
      const at = lane * count + other;
      if (other === processor || left[at] === 0 || Atomics.load(pending, slot) !== 0) continue;
      left[at] = (left[at] ?? 0) - 1;
      Atomics.store(pending, slot, 1);
      apic.write32(reg.interruptCommandHigh, (ids[other] ?? 0) << 24);
      apic.write32(reg.interruptCommandLow, firstVector + lane * count + processor);
    }
  }
  return left.every((rest, at) => rest === 0 || at % count === processor);
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
const left = new Int32Array(lanes * count).fill(rounds);
for (;;) {
  const bell = Atomics.load(bells, processor);
  const worked = handle();
  if (send(left)) break;
  if (!worked) sleep(bell);
}
const sent = Array.from({ length: lanes * count }, (_, at) => slotOf(at % count, processor, Math.floor(at / count)));
for (;;) {
  const bell = Atomics.load(bells, processor);
  if (sent.every((slot) => Atomics.load(pending, slot) === 0)) break;
  if (!handle()) sleep(bell);
}
meet(done);
handle();
