/** What device tests share: a clock that moves when told, a port bus, and wires that remember what happened on them. */
import type { IrqLine } from '../../device-model/interrupt.ts';
import { PortBus } from '../../device-model/port-io.ts';
import { ManualClock, TimerQueue } from '../../device-model/time.ts';

export class TestLine implements IrqLine {
  level = false;
  /** Rising edges so far. */
  edges = 0;

  set(level: boolean): void {
    if (level && !this.level) this.edges++;
    this.level = level;
  }
}

export class TestBoard {
  readonly clock = new ManualClock();
  readonly timers = new TimerQueue(this.clock);
  readonly ports = new PortBus();

  /** Lets `ns` nanoseconds pass, running each timer at its deadline. */
  run(ns: number): void {
    const end = this.clock.nowNs() + ns;
    while (this.timers.nextDeadlineNs() <= end) {
      this.clock.advance(Math.max(0, this.timers.nextDeadlineNs() - this.clock.nowNs()));
      this.timers.runExpired();
    }
    this.clock.advance(end - this.clock.nowNs());
  }

  out(port: number, value: number): void {
    this.ports.write(port, 1, value);
  }

  inb(port: number): number {
    return this.ports.read(port, 1);
  }
}

/** A repeatable stream of 32-bit numbers, for tests that throw rubbish at a device. */
export function* rubbish(seed: number, count: number): Generator<number> {
  let state = seed;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield (state ^ (state >>> 15)) >>> 0;
  }
}
