/** A cable that loses, doubles and delays frames, by numbers that are the same in every run. */
import { FinishedFrames } from '../../src/net/frame/finished-frames.ts';
import type { FrameSink, NetPort } from '../../src/net/port.ts';

export interface Faults {
  /** Shares of all frames, from 0 to 1. */
  readonly lost: number;
  readonly doubled: number;
  readonly delayed: number;
  readonly delayMs: number;
}

/** Connects two ports. Frames are finished and cut first, so that single segments meet the faults. */
export function connectLossily(a: NetPort, b: NetPort, faults: Faults): void {
  let seed = 1;
  const chance = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
  const faulty = (sink: NetPort): FrameSink =>
    new FinishedFrames({
      send: (frame) => {
        if (chance() < faults.lost) return true;
        if (chance() < faults.doubled) sink.send(frame);
        if (chance() >= faults.delayed) return sink.send(frame);
        const copy = frame.slice();
        setTimeout(() => sink.send(copy), faults.delayMs);
        return true;
      },
      resume: () => {},
    });
  a.connect(faulty(b));
  b.connect(faulty(a));
}
