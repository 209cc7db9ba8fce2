/**
 * A processor that has come to rest keeps what its work has left: most of what was decoded for a boot, say, is never run again.
 * It is forgotten then, and the memory goes back to the system; what is run after all is decoded anew, at a microsecond an
 * instruction. Translated code stays, which costs fifty times as much to make.
 */
import type { Vcpu } from '../cpu/vcpu.ts';
import type { WasmMemory } from '../wasm/webassembly.ts';
import type { MachineConfig, ProcessorHost } from './config.ts';

/** How long a processor must have been at rest, in guest time. */
const restNs = 30e9;
/** The part of this time that it may have run. */
const restLoad = 0.1;
/** Fewer records than this are left alone: 16 MB. */
const fewest = 1 << 19;

/** Takes what a processor's memory holds no more: offsets in bytes, from and to. */
type GiveBack = (ranges: readonly (readonly [number, number])[]) => void;

export class IdleThrift {
  readonly #vcpu: Pick<Vcpu, 'records' | 'forgetRecords'>;
  readonly #giveBack: GiveBack;
  /** Since when it is watched, and what it had run by then. */
  #sinceNs = 0;
  #ranNs = 0;
  #worthwhile: number = fewest;

  constructor(vcpu: Pick<Vcpu, 'records' | 'forgetRecords'>, giveBack: GiveBack) {
    this.#vcpu = vcpu;
    this.#giveBack = giveBack;
  }

  /** To be called whenever it halts. @param ranNs what it has run in all; both in guest time */
  halted(nowNs: number, ranNs: number): void {
    const elapsedNs = nowNs - this.#sinceNs;
    if (elapsedNs < restNs) return;
    const load = (ranNs - this.#ranNs) / elapsedNs;
    this.#sinceNs = nowNs;
    this.#ranNs = ranNs;
    const { records } = this.#vcpu;
    if (load > restLoad || records < this.#worthwhile) return;
    // What comes together until then is what is used: it would only be decoded again and again.
    this.#worthwhile = records;
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
