/** Holds a cable to a number of bits per second, each way. */
import type { NetClock } from './clock.ts';
import type { Frame, FrameSink, NetPort, Offload } from './port.ts';

/** A burst may have so much: what comes together in a twentieth of a second, and at least one large frame. */
const burstSeconds = 0.05;
const leastBurstBytes = 65_536;

/** A token bucket. A frame passes while there is any token left, and may leave a debt, so that large frames pass. */
class TokenBucket {
  readonly #clock: NetClock;
  readonly #bytesPerMs: number;
  readonly #burstBytes: number;
  readonly #available: () => void;
  #tokens: number;
  #filledMs: number;
  #timer: { cancel(): void } | undefined;

  /** @param available called when a frame may pass again after one was refused */
  constructor(clock: NetClock, bitsPerSecond: number, available: () => void) {
    this.#clock = clock;
    this.#bytesPerMs = bitsPerSecond / 8000;
    this.#burstBytes = Math.max(leastBurstBytes, (bitsPerSecond / 8) * burstSeconds);
    this.#available = available;
    this.#tokens = this.#burstBytes;
    this.#filledMs = clock.nowMs();
  }

  /** @returns whether a frame may pass now */
  get open(): boolean {
    const now = this.#clock.nowMs();
    this.#tokens = Math.min(this.#burstBytes, this.#tokens + (now - this.#filledMs) * this.#bytesPerMs);
    this.#filledMs = now;
    if (this.#tokens > 0) return true;
    this.#timer ??= this.#clock.startTimer(-this.#tokens / this.#bytesPerMs + 1, () => {
      this.#timer = undefined;
      this.#available();
    });
    return false;
  }

  pass(bytes: number): void {
    this.#tokens -= bytes;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

export interface RateLimits {
  /** Bits per second of what is sent into the port; undefined: no limit. */
  readonly toPort: number | undefined;
  /** Of what comes out of it. */
  readonly fromPort: number | undefined;
}

/** `port` behind limits. A sender that does not hold back loses what is too much. */
export function limitRate(port: NetPort, limits: RateLimits, clock: NetClock): NetPort {
  let receiver: FrameSink | undefined;
  const gate = (sink: () => FrameSink | undefined, bits: number | undefined, sender: () => FrameSink | undefined) => {
    const bucket = bits === undefined ? undefined : new TokenBucket(clock, bits, () => sender()?.resume());
    const send = (frame: Frame, offload?: Offload): boolean => {
      if (bucket !== undefined && !bucket.open) return false;
      const sent = sink()?.send(frame, offload) ?? true;
      if (sent) bucket?.pass(frame.length);
      return sent;
    };
    return { send, close: () => bucket?.close() };
  };
  const toPort = gate(
    () => port,
    limits.toPort,
    () => receiver,
  );
  const fromPort = gate(
    () => receiver,
    limits.fromPort,
    () => port,
  );
  port.connect({ send: fromPort.send, resume: () => receiver?.resume() });
  return {
    send: toPort.send,
    resume: () => port.resume(),
    connect: (sink) => {
      receiver = sink;
    },
    close: () => {
      toPort.close();
      fromPort.close();
      port.close();
    },
  };
}
