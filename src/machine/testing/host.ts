/** A host for tests: time passes when the machine looks at the clock or sleeps, and everything else is in memory. */
import assert from 'node:assert/strict';
import { fail, ok, type Result } from '../../support/result.ts';
import type {
  BootFile,
  Machine,
  MachineConfig,
  MachineEvent,
  MachineHost,
  MachineRequest,
  SerialPort,
} from '../config.ts';
import { createMachine } from '../machine.ts';
import { allocateMachine } from '../shared-machine.ts';

/** How far each look at the clock moves it. */
const lookNs = 1000;
/** How long each standing back takes. */
const heldBackNs = 1_000_000;
const patience = 200_000;

export class TestHost implements MachineHost {
  readonly sent: [number[], number[]] = [[], []];
  readonly input: [number[], number[]] = [[], []];
  readonly requests: MachineRequest[] = [];
  readonly events: MachineEvent[] = [];
  /** Asked for until the machine has slept through it once; host time goes on meanwhile. */
  pauseNs = 0;
  sleptNs = 0;
  sleeps = 0;
  /** How often the processor is to stand back. */
  heldBack = 0;
  /** Asked for when the guest sleeps for ever, or after that many slices. */
  stop = false;
  slicesLeft = patience;
  readonly cores = 1;
  /** By path. */
  readonly files = new Map<string, Uint8Array>();
  #now = 5_000_000_000;
  #random = 0x0123_4567_89ab_cdefn;

  nowNs(): number {
    this.#now += lookNs;
    return this.#now;
  }

  wallClockMs(): number {
    return Date.UTC(2026, 0, 2, 3, 4, 5) + this.#now / 1e6;
  }

  readFile({ path }: BootFile, into: Uint8Array): Result<void> {
    const content = this.files.get(path);
    if (content?.length !== into.length) return fail('input', `${path} has changed.`);
    into.set(content);
    return ok(undefined);
  }

  random64(): bigint {
    this.#random = BigInt.asUintN(64, this.#random * 6_364_136_223_846_793_005n + 1n);
    return this.#random;
  }

  sleep(maxNs: number): void {
    this.sleeps++;
    if (this.pauseNs > 0) {
      this.#now += this.pauseNs;
      this.pauseNs = 0;
      return;
    }
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

  standBack(): number {
    if (this.heldBack <= 0) return 0;
    this.heldBack--;
    this.#now += heldBackNs;
    return heldBackNs;
  }

  stopRequested(): boolean {
    this.slicesLeft--;
    return this.stop || this.slicesLeft < 0;
  }

  wakeIo(): void {}

  ring(): void {}
  pauseRequested(): boolean {
    return this.pauseNs > 0;
  }

  takeRequest(): MachineRequest | undefined {
    return this.requests.shift();
  }

  report(event: MachineEvent): void {
    this.events.push(event);
  }

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
    countsTlbHits: false,
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
