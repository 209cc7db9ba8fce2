/** Conversion between the guest's nanoseconds and the ticks of an oscillator, exact over the whole range of the clock. */

const nsPerSecond = 1_000_000_000;

/** Ticks of a `hz` oscillator (below 9 MHz, so that products stay exact) that have elapsed at `ns`. */
export function ticksAt(ns: number, hz: number): number {
  const seconds = Math.floor(ns / nsPerSecond);
  return seconds * hz + Math.floor(((ns - seconds * nsPerSecond) * hz) / nsPerSecond);
}

/** The first nanosecond at which `ticksAt` reaches `ticks`. */
export function nsOfTick(ticks: number, hz: number): number {
  const seconds = Math.floor(ticks / hz);
  return seconds * nsPerSecond + Math.ceil(((ticks - seconds * hz) * nsPerSecond) / hz);
}
