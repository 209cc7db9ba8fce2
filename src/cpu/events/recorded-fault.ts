/** The fault that ended emitted code: noted in the state block where it is noticed, taken by the run loop. */
import { GuestFault } from '../guest-fault.ts';
import { status } from '../interpret/status.ts';
import { state } from '../state/layout.ts';
import type { Interruption } from './interrupt.ts';

/** `exact`: it happened where state.rip points, not in the record that ran last. */
export type TakenFault = Omit<Interruption, 'returnRip'> & { readonly exact: boolean };

export class RecordedFault {
  readonly #view: DataView;
  #exact = false;
  #trap = false;

  constructor(view: DataView) {
    this.#view = view;
  }

  /**
   * Notes what a slow path threw. @returns the status for emitted code
   * @throws what is no fault of the guest's, but a defect.
   */
  note(thrown: unknown): number {
    if (!(thrown instanceof GuestFault)) throw thrown;
    const { vector, errorCode } = thrown;
    this.#exact = thrown.committed;
    this.#trap = thrown.trap;
    this.#view.setInt32(state.fault, vector + 1, true);
    this.#view.setInt32(state.faultHasError, errorCode === undefined ? 0 : 1, true);
    this.#view.setInt32(state.faultError, errorCode ?? 0, true);
    return status.fault;
  }

  /** The same for what was thrown outside emitted code, with state.rip at the instruction. */
  noteExact(thrown: unknown): number {
    const outcome = this.note(thrown);
    this.#exact = true;
    return outcome;
  }

  /** The noted fault, which is gone then. */
  take(): TakenFault {
    const view = this.#view;
    const hasError = view.getInt32(state.faultHasError, true) !== 0;
    const taken: TakenFault = {
      vector: view.getInt32(state.fault, true) - 1,
      errorCode: hasError ? view.getInt32(state.faultError, true) : undefined,
      source: this.#trap ? 'trap' : 'fault',
      exact: this.#exact || view.getInt32(state.faultExact, true) !== 0,
    };
    view.setInt32(state.fault, 0, true);
    view.setInt32(state.faultExact, 0, true);
    this.#exact = false;
    this.#trap = false;
    return taken;
  }
}
