/** One timer of an HPET: configuration, comparator, and the wire it drives. Source: IA-PC HPET Specification 1.0a, 2.3.8. */
import type { IrqLine } from '../../device-model/interrupt.ts';
import type { Timer } from '../../device-model/time.ts';
import { hpetPeriodNs, hpetTimer } from '../../spec/pc/hpet.ts';

export interface HpetComparatorState {
  configuration: number;
  comparator: bigint;
  period: bigint;
  /** When the comparator matches, `Infinity` when it does not or cannot matter. */
  dueNs: number;
  /** An edge has raised the wire and nothing has taken it down. */
  edge: boolean;
}

const writable =
  hpetTimer.level | hpetTimer.interruptEnable | hpetTimer.periodic | hpetTimer.valueSet | hpetTimer.mode32;
const powerOnConfiguration = hpetTimer.periodicCapable | hpetTimer.size64;
/** In ticks: about what the guest clock can hold (2^53 ns). */
const farthest = 2n ** 49n;
const allOnes = 0xffff_ffff_ffff_ffffn;

export class HpetComparator {
  readonly #timer: Timer;
  readonly #routes: ReadonlyMap<number, IrqLine>;
  readonly #legacyLine: IrqLine | undefined;
  #configuration: number = powerOnConfiguration;
  #comparator = allOnes;
  #period = 0n;
  #dueNs = Number.POSITIVE_INFINITY;
  #edge = false;
  /** The wire that is up, if one is. */
  #raised: IrqLine | undefined;

  constructor(timer: Timer, routes: ReadonlyMap<number, IrqLine>, legacyLine: IrqLine | undefined) {
    this.#timer = timer;
    this.#routes = routes;
    this.#legacyLine = legacyLine;
  }

  reset(): void {
    this.restore({
      configuration: powerOnConfiguration,
      comparator: allOnes,
      period: 0n,
      dueNs: Number.POSITIVE_INFINITY,
      edge: false,
    });
  }

  save(): HpetComparatorState {
    return {
      configuration: this.#configuration,
      comparator: this.#comparator,
      period: this.#period,
      dueNs: this.#dueNs,
      edge: this.#edge,
    };
  }

  restore(state: HpetComparatorState): void {
    this.#configuration = state.configuration;
    this.#comparator = state.comparator;
    this.#period = state.period;
    this.#edge = state.edge;
    this.#setDue(state.dueNs);
  }

  get configuration(): number {
    return this.#configuration;
  }

  get comparator(): bigint {
    return this.#comparator;
  }

  get dueNs(): number {
    return this.#dueNs;
  }

  get isLevel(): boolean {
    return (this.#configuration & hpetTimer.level) !== 0;
  }

  get valueSet(): boolean {
    return (this.#configuration & hpetTimer.valueSet) !== 0;
  }

  get #periodic(): boolean {
    return (this.#configuration & hpetTimer.periodic) !== 0;
  }

  get #width(): 32 | 64 {
    return (this.#configuration & hpetTimer.mode32) !== 0 ? 32 : 64;
  }

  writeConfiguration(value: number): void {
    const route = (value & hpetTimer.routeMask) >> hpetTimer.routeShift;
    // A route that the board does not have is refused; software reads back what it got.
    const routeBits = (this.#routes.has(route) ? value : this.#configuration) & hpetTimer.routeMask;
    this.#configuration = powerOnConfiguration | (value & writable) | routeBits;
    if (!this.#periodic) this.#configuration &= ~hpetTimer.valueSet;
    if (this.isLevel) this.#edge = false;
    this.#comparator = BigInt.asUintN(this.#width, this.#comparator);
    this.#period = BigInt.asUintN(this.#width, this.#period);
  }

  /**
   * Writes half of the comparator register. A periodic timer takes it as its period; under VAL_SET as the next match as
   * well. VAL_SET clears itself with the low half, and covers the high half if that comes next (`valueSet`).
   */
  writeComparator(part: number, high: boolean, valueSet: boolean): void {
    if (high && this.#width === 32) return;
    if (!this.#periodic || valueSet) this.#comparator = merge(this.#comparator, part, high);
    this.#period = merge(this.#period, part, high);
    if (!high) this.#configuration &= ~hpetTimer.valueSet;
  }

  /** Matches of a periodic timer that interrupts nobody are worked out when somebody looks: they wake no host. */
  #setDue(dueNs: number): void {
    this.#dueNs = dueNs;
    const interrupts = this.isLevel || (this.#configuration & hpetTimer.interruptEnable) !== 0;
    if (dueNs === Number.POSITIVE_INFINITY || !interrupts) this.#timer.cancel();
    else this.#timer.setDeadline(dueNs);
  }

  disarm(): void {
    this.#setDue(Number.POSITIVE_INFINITY);
  }

  /** Works out when `counter`, which is at `nowNs`, meets the comparator. @param now whether equality counts at once. */
  arm(counter: bigint, nowNs: number, now: boolean): void {
    const matters = this.isLevel || (this.#configuration & hpetTimer.interruptEnable) !== 0 || this.#periodic;
    let left = BigInt.asUintN(this.#width, this.#comparator - counter);
    if (left === 0n && !now) left = 1n << BigInt(this.#width);
    if (!matters || left > farthest) this.disarm();
    else this.#setDue((Math.floor(nowNs / hpetPeriodNs) + Number(left)) * hpetPeriodNs);
  }

  /** The counter has met or passed the comparator. A periodic timer moves on to the first match in the future. */
  match(counter: bigint, nowNs: number): void {
    if (this.#periodic && this.#period > 0n) {
      const late = BigInt.asUintN(this.#width, counter - this.#comparator);
      const next = this.#comparator + (late / this.#period + 1n) * this.#period;
      this.#comparator = BigInt.asUintN(this.#width, next);
    }
    this.arm(counter, nowNs, false);
  }

  /** An edge for whichever wire is connected; `drive` raises it. Without the interrupt it is lost. */
  pulse(): void {
    this.#edge = (this.#configuration & hpetTimer.interruptEnable) !== 0;
    this.#raised?.set(false);
    this.#raised = undefined;
  }

  /** @param pending the level-triggered status bit. */
  drive(running: boolean, legacy: boolean, pending: boolean): void {
    const enabled = (this.#configuration & hpetTimer.interruptEnable) !== 0;
    if (!running || !enabled) this.#edge = false;
    const up = enabled && (this.isLevel ? pending : this.#edge);
    const route = (this.#configuration & hpetTimer.routeMask) >> hpetTimer.routeShift;
    const line = legacy && this.#legacyLine !== undefined ? this.#legacyLine : this.#routes.get(route);
    const target = up ? line : undefined;
    if (target === this.#raised) return;
    this.#raised?.set(false);
    this.#raised = target;
    target?.set(true);
  }
}

function merge(value: bigint, part: number, high: boolean): bigint {
  return high ? (BigInt(part) << 32n) | BigInt.asUintN(32, value) : ((value >> 32n) << 32n) | BigInt(part);
}
