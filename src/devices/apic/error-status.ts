/** The error status register: errors gather unseen until a write shows them. SDM Vol. 3A 12.5.3. */
export interface ErrorStatusState {
  visible: number;
  gathered: number;
  armed: boolean;
}

export class ErrorStatus {
  readonly #interrupt: () => boolean;
  #visible = 0;
  #gathered = 0;
  #armed = true;

  /** `interrupt` raises the error interrupt and says whether it was not masked. */
  constructor(interrupt: () => boolean) {
    this.#interrupt = interrupt;
  }

  get value(): number {
    return this.#visible;
  }

  /** Logs errors; interrupts once until software has looked. */
  report(errors: number): void {
    this.#gathered |= errors;
    if (!this.#armed) return;
    // Disarmed first: an error interrupt with an illegal vector of its own is an error again.
    this.#armed = false;
    this.#armed = !this.#interrupt();
  }

  /** A write of any value: what has gathered becomes visible, and the interrupt is armed again. */
  latch(): void {
    this.#visible = this.#gathered;
    this.#gathered = 0;
    this.#armed = true;
  }

  reset(): void {
    this.restore({ visible: 0, gathered: 0, armed: true });
  }

  save(): ErrorStatusState {
    return { visible: this.#visible, gathered: this.#gathered, armed: this.#armed };
  }

  restore(state: ErrorStatusState): void {
    this.#visible = state.visible;
    this.#gathered = state.gathered;
    this.#armed = state.armed;
  }
}
