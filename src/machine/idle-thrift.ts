/**
 * A processor that has come to rest keeps what its work has left: most of what was decoded for a boot, say, is never run again.
 * It is forgotten then, and the memory goes back to the system; what is run after all is decoded anew, at a microsecond an
 * instruction. Translated code stays, which costs fifty times as much to make.
 */
import type { Vcpu } from '../cpu/vcpu.ts';
import type { WasmMemory } from '../wasm/webassembly.ts';
import type { MachineConfig, ProcessorHost } from './config.ts';

/** How long a processor must have been at rest, in guest time: decoding all anew takes less than a hundredth of that. */
const restNs = 60e9;
/** In each such part of it, it may have run for a tenth. */
const windowNs = 10e9;
const restLoad = 0.1;
/** Fewer records than this are left alone: 16 MB. */
const worthwhile = 1 << 19;

/** Takes what a processor's memory holds no more: offsets in bytes, from and to. */
type GiveBack = (ranges: readonly (readonly [number, number])[]) => void;

export class IdleThrift {
  readonly #vcpu: Pick<Vcpu, 'records' | 'forgetRecords'>;
  readonly #giveBack: GiveBack;
  /** When the window began, and what it had run by then. */
  #sinceNs = 0;
  #ranNs = 0;
  #restedNs = 0;

  constructor(vcpu: Pick<Vcpu, 'records' | 'forgetRecords'>, giveBack: GiveBack) {
    this.#vcpu = vcpu;
    this.#giveBack = giveBack;
  }

  /** To be called whenever it halts. @param ranNs what it has run in all; both in guest time */
  halted(nowNs: number, ranNs: number): void {
    const elapsedNs = nowNs - this.#sinceNs;
    if (elapsedNs < windowNs) return;
    const rested = ranNs - this.#ranNs <= elapsedNs * restLoad;
    this.#restedNs = rested ? this.#restedNs + elapsedNs : 0;
    this.#sinceNs = nowNs;
    this.#ranNs = ranNs;
    if (this.#restedNs < restNs || this.#vcpu.records < worthwhile) return;
    this.#restedNs = 0;
    this.#giveBack(this.#vcpu.forgetRecords());
  }
}

/** @returns undefined where the host keeps memory, or records are compared by their addresses, in lockstep */
export function idleThrift(
  { accel }: MachineConfig,
  { giveBack }: ProcessorHost,
  vcpu: Vcpu,
  memory: WasmMemory,
): IdleThrift | undefined {
  if (giveBack === undefined || accel === 'verify') return undefined;
  return new IdleThrift(vcpu, (ranges) => giveBack(memory, ranges));
}
