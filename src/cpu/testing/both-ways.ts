/** Short ways through the delivery of events and returns from them, compared with the general way: state and RAM. */
import assert from 'node:assert/strict';
import type { Processor } from '../processor.ts';
import { state } from '../state/layout.ts';
import type { BareMachine } from './bare-machine.ts';

/** Of `enterLongMode`. */
const pageTables = { start: 0x1000, end: 0x4000 } as const;

interface Picture {
  readonly state: Uint8Array;
  readonly ram: Uint8Array;
}

/** State without what slow paths leave behind. */
function picture({ vcpu, memory }: BareMachine): Picture {
  const block = vcpu.state.bytes.slice(0, state.end);
  block.fill(0, state.accessLinear, state.scratch + 32);
  return { state: block, ram: memory.bytes.slice() };
}

function assertSame(one: Picture, other: Picture): void {
  assert.deepEqual(one.state, other.state);
  for (const [at, byte] of one.ram.entries()) {
    if (byte !== other.ram[at]) assert.fail(`RAM differs at 0x${at.toString(16)}`);
  }
}

/** Runs both ways from the same start. @returns false if the short one refused, having changed nothing. */
export function bothWays(
  machine: BareMachine,
  short: (cpu: Processor) => boolean,
  general: (cpu: Processor) => void,
): boolean {
  const { vcpu, memory } = machine;
  const before = picture(machine);
  const done = short(vcpu);
  const one = picture(machine);
  if (!done) {
    // Accessed and dirty bits may be set: those lie in the page tables.
    for (const { ram } of [one, before]) ram.fill(0, pageTables.start, pageTables.end);
    assertSame(one, before);
    return false;
  }
  vcpu.state.bytes.set(before.state);
  memory.bytes.set(before.ram);
  vcpu.flushTlb('all');
  vcpu.modeChanged();
  general(vcpu);
  assertSame(picture(machine), one);
  return true;
}
