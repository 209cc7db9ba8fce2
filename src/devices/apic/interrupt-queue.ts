/** Fixed interrupts of one local APIC: acceptance, priorities, delivery, end of interrupt. SDM Vol. 3A 12.8. */
import { apicRegister } from '../../spec/x86/apic.ts';
import { VectorSet } from './vector-set.ts';

export interface InterruptQueueState {
  taskPriority: number;
  interruptRequest: number[];
  inService: number[];
  triggerMode: number[];
}

export interface FinishedInterrupt {
  readonly vector: number;
  readonly levelTriggered: boolean;
}

const priorityClass = (vector: number): number => vector >>> 4;

export class InterruptQueue {
  /** IRR, ISR and TMR; only this class changes them. */
  readonly requested = new VectorSet();
  readonly inService = new VectorSet();
  readonly levelTriggered = new VectorSet();
  #taskPriority = 0;
  #processorPriority = 0;
  #deliverable = -1;

  /** The vector that the processor would take now; -1 if none has a higher class than the processor's priority. */
  get deliverable(): number {
    return this.#deliverable;
  }

  get taskPriority(): number {
    return this.#taskPriority;
  }

  set taskPriority(value: number) {
    this.#taskPriority = value & 0xff;
    this.#update();
  }

  get processorPriority(): number {
    return this.#processorPriority;
  }

  /** Accepts a fixed interrupt into IRR. A vector that is already requested merges with it. */
  request(vector: number, levelTriggered: boolean): void {
    if (levelTriggered) this.levelTriggered.add(vector);
    else this.levelTriggered.remove(vector);
    this.requested.add(vector);
    this.#update();
  }

  /** Moves the deliverable vector from IRR to ISR. @returns it, or -1 if there is none. */
  acknowledge(): number {
    const vector = this.#deliverable;
    if (vector >= 0) {
      this.requested.remove(vector);
      this.inService.add(vector);
      this.#update();
    }
    return vector;
  }

  /** Ends the highest interrupt in service. @returns what it was, or undefined if none was in service. */
  finish(): FinishedInterrupt | undefined {
    const vector = this.inService.highest();
    if (vector < 0) return undefined;
    this.inService.remove(vector);
    this.#update();
    return { vector, levelTriggered: this.levelTriggered.has(vector) };
  }

  /** TPR, PPR, or 32 bits of ISR, TMR or IRR by their xAPIC offset; undefined for an offset that is none of theirs. */
  read(offset: number): number | undefined {
    if (offset === apicRegister.taskPriority) return this.#taskPriority;
    if (offset === apicRegister.processorPriority) return this.#processorPriority;
    if (offset < apicRegister.inService || offset >= apicRegister.errorStatus || (offset & 0xf) !== 0) return undefined;
    const word = (offset >>> 4) & 7;
    if (offset < apicRegister.triggerMode) return this.inService.word(word);
    return (offset < apicRegister.interruptRequest ? this.levelTriggered : this.requested).word(word);
  }

  reset(): void {
    this.#taskPriority = 0;
    for (const set of [this.requested, this.inService, this.levelTriggered]) set.clear();
    this.#update();
  }

  save(): InterruptQueueState {
    return {
      taskPriority: this.#taskPriority,
      interruptRequest: this.requested.save(),
      inService: this.inService.save(),
      triggerMode: this.levelTriggered.save(),
    };
  }

  restore(state: InterruptQueueState): void {
    this.#taskPriority = state.taskPriority;
    this.requested.restore(state.interruptRequest);
    this.inService.restore(state.inService);
    this.levelTriggered.restore(state.triggerMode);
    this.#update();
  }

  /** PPR, then the deliverable vector. SDM Vol. 3A 12.8.3.1. */
  #update(): void {
    const highestInService = Math.max(this.inService.highest(), 0);
    this.#processorPriority =
      priorityClass(this.#taskPriority) >= priorityClass(highestInService)
        ? this.#taskPriority
        : highestInService & 0xf0;
    const highest = this.requested.highest();
    this.#deliverable = highest >= 0 && priorityClass(highest) > priorityClass(this.#processorPriority) ? highest : -1;
  }
}
