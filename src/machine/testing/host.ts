/** A host for tests: time passes when the machine looks at the clock or sleeps, and everything else is in memory. */
import assert from 'node:assert/strict';
import type { Result } from '../../support/result.ts';
import type { Machine, MachineConfig, MachineHost, SerialPort } from '../config.ts';
import { createMachine } from '../machine.ts';
import { allocateMachine } from '../shared-machine.ts';

/** How far each look at the clock moves it. */
const lookNs = 1000;
const patience = 200_000;

export class TestHost implements MachineHost {
  readonly sent: [number[], number[]] = [[], []];
  readonly input: [number[], number[]] = [[], []];
  sleptNs = 0;
  sleeps = 0;
  /** Asked for when the guest sleeps for ever, or after that many slices. */
  stop = false;
  slicesLeft = patience;
  /** How often the machine is still told to stand still. */
  pausesLeft = 0;
  /** How long it sleeps each time. */
  pauseNs = 0;
  #pausing = false;
  #now = 5_000_000_000;
  #random = 0x0123_4567_89ab_cdefn;

  nowNs(): number {
    this.#now += lookNs;
    return this.#now;
  }

  wallClockMs(): number {
    return Date.UTC(2026, 0, 2, 3, 4, 5) + this.#now / 1e6;
  }

  random64(): bigint {
    this.#random = BigInt.asUintN(64, this.#random * 6_364_136_223_846_793_005n + 1n);
    return this.#random;
  }

  sleep(maxNs: number): void {
    if (this.#pausing) {
      this.#now += this.pauseNs;
      return;
    }
    this.sleeps++;
    if (!Number.isFinite(maxNs)) {
      this.stop = true;
      return;
    }
    this.sleptNs += maxNs;
    this.#now += Math.ceil(maxNs);
  }

  serialOutput(port: SerialPort, bytes: Uint8Array): void {
    this.sent[port].push(...bytes);
  }

  serialInput(port: SerialPort): number {
    return this.input[port].shift() ?? -1;
  }

  stopRequested(): boolean {
    this.slicesLeft--;
    return this.stop || this.slicesLeft < 0;
  }

  pauseRequested(): boolean {
    this.#pausing = this.pausesLeft-- > 0;
    return this.#pausing;
  }

  wakeIo(): void {}

  text(port: SerialPort): string {
    return String.fromCharCode(...this.sent[port]);
  }

  type(port: SerialPort, text: string): void {
    this.input[port].push(...[...text].map((letter) => letter.charCodeAt(0)));
  }
}

export function configFor(kernel: Uint8Array, rest: Partial<MachineConfig> = {}): MachineConfig {
  return {
    memoryBytes: 16 * 2 ** 20,
    boot: { kind: 'kernel', kernel, commandLine: '', modules: [] },
    accel: 'auto',
    codeCacheBytes: 64 * 2 ** 20,
    profile: false,
    cpuModel: 'max',
    debugExit: true,
    ...rest,
  };
}

/** A machine without virtio devices, or why there can be none. */
export function tryMachine(config: MachineConfig, host: MachineHost): Result<Machine> {
  const shared = allocateMachine(config.memoryBytes);
  return shared.ok ? createMachine(config, shared.value, host) : shared;
}

export function machineWith(kernel: Uint8Array, host: MachineHost): Machine {
  const machine = tryMachine(configFor(kernel), host);
  assert.ok(machine.ok, machine.ok ? '' : machine.error.message);
  return machine.value;
}
