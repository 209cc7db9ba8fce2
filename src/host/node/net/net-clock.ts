/** Time for networks, from Node. */
import type { NetClock } from '../../../net/clock.ts';

export const nodeNetClock: NetClock = {
  nowMs: () => performance.now(),
  wallClockMs: () => performance.timeOrigin + performance.now(),
  startTimer: (delayMs, expire) => {
    const timer = setTimeout(expire, delayMs);
    // A network alone keeps no process alive.
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  defer: queueMicrotask,
};
