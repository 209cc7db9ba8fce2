/**
 * Runs a guest with this process's terminal and streams, until the guest, the user, the clock or a signal ends it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { DiskFailure } from '../../block/disk-failure.ts';
import { apicIdsOf, uniprocessor } from '../../cpu/system/topology.ts';
import type { MachineConfig, SerialPort, Statistics } from '../../machine/config.ts';
import type { ProfileEntry } from '../../machine/profile.ts';
import { allocateMachine, type SharedMachine } from '../../machine/shared-machine.ts';
import { type AgentCommand, powerOffByAgent, runAgentCommand } from './agent/agent-session.ts';
import { setFlagsForGuests } from './engine-options.ts';
import { beginFairUse, type FairUse, type ShareOptions } from './fair-use/fair-use.ts';
import { encodePowerOff } from './guest/guest-channel.ts';
import { GuestSession } from './guest/guest-session.ts';
import { WindowSize } from './guest/window-size.ts';
import type { GuestAttendant, GuestControls } from './guest-attendant.ts';
import { GuestBalloon } from './guest-balloon.ts';
import { createGuestDevices, type GuestDeviceOptions, type GuestDevices } from './guest-devices.ts';
import type { GuestEnd } from './guest-end.ts';
import type { GuestThreads } from './guest-threads.ts';
import { openMemoryAdvice } from './memory-advice.ts';
import { fileOutput, nowhere, type Output, streamOutput, Tail } from './output.ts';
import type { PulledInput } from './standard-input.ts';
import { RawTerminal } from './terminal.ts';
import { lowerCompilers } from './thread-priority.ts';
import { Vm, type VmReport } from './vm.ts';

/**
 * `none`: a guest that does not speak the channel's protocol; its console is all there is. `agent`: neither does this
 * one, but it carries the agent, which runs a command.
 */
export type SessionKind = 'none' | 'interactive' | 'lines' | 'command' | 'agent';

export type SerialTarget =
  | { readonly kind: 'stdio' }
  | { readonly kind: 'none' }
  | { readonly kind: 'file'; readonly path: string };

export interface GuestRequest {
  readonly config: MachineConfig;
  /** Those that the machine runs on. */
  readonly threads: GuestThreads;
  /** Which virtio devices the guest has. */
  readonly devices: GuestDeviceOptions;
  /** Told what a person should know of while the guest runs: one sentence. */
  readonly notice: (text: string) => void;
  /** What it may have of this host's processors. */
  readonly processorShare: ShareOptions;
  readonly session: SessionKind;
  /** What a session of kind `agent` runs. */
  readonly agentCommand?: AgentCommand | undefined;
  readonly serial: SerialTarget;
  /** Where hvc0 leads, if the devices have it; not to standard input and output where `serial` does. */
  readonly virtioConsole: SerialTarget;
  readonly timeoutMs?: number | undefined;
  /** Standard input, read only as far as the guest asks; it outlives a reboot. */
  readonly input: PulledInput;
  readonly attendant?: GuestAttendant | undefined;
}

export interface GuestResult {
  readonly end: GuestEnd;
  readonly statistics: Statistics;
  /** The guest's hottest code, if that was asked for. */
  readonly profile: readonly ProfileEntry[];
  /** The last console lines, where the console itself was not shown. */
  readonly console: readonly string[];
}

const signals = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const;
const consolePort: SerialPort = 0;
const channelPort: SerialPort = 1;
const tailBytes = 16384;
const tailLines = 40;
/** What a Linux kernel says before all it says of its end. */
const panicMark = 'Kernel panic - not syncing';
const rawInputBytes = 4096;
const settleMs = 3000;
/** How long a guest whose command has ended may take to power off, and one that ran none. */
const powerOffSeconds = 120;
const uselessGuestSeconds = 60;
/** Until a write is tried again that the host had no room for. */
const roomRetryMs = 1000;
/** How often the guest is asked about its memory, if it has a balloon. */
const memoryStatisticsMs = 2000;

class GuestRun {
  readonly #request: GuestRequest;
  readonly #balloon: GuestBalloon | undefined;
  /** Requests that the host has no room for. */
  #waitingForRoom = 0;
  readonly #vm: Vm;
  readonly #session: GuestSession | undefined;
  readonly #stdout: Output;
  readonly #stderr: Output;
  readonly #console: Output;
  readonly #hvc: Output;
  /** To the terminal that standard input is connected to. */
  readonly #sendKeys: (bytes: Uint8Array) => Promise<unknown>;
  readonly #tail = new Tail(tailBytes);
  #terminal: RawTerminal | undefined;
  readonly #ready = Promise.withResolvers<void>();
  readonly #window: WindowSize;
  readonly #fairUse: FairUse;
  #askedToPowerOff = false;
  /** What the run of a command by the agent came to, while the guest powers off. */
  #commandEnd: GuestEnd | undefined;
  #over = false;
  #decide: (end: GuestEnd) => void = () => {};
  /** The first thing that decides how this ends; what the machine reports afterwards does not change it. */
  readonly #decided: Promise<GuestEnd>;

  constructor(request: GuestRequest, devices: GuestDevices, shared: SharedMachine) {
    this.#request = request;
    const target = request.devices.balloon;
    this.#balloon = devices.balloon && target && new GuestBalloon(devices.balloon, target, request.config.memoryBytes);
    this.#decided = new Promise((resolve) => {
      this.#decide = resolve;
    });
    const onClosed = (error: NodeJS.ErrnoException): void =>
      this.#decide({ kind: 'output-closed', message: error.message, brokenPipe: error.code === 'EPIPE' });
    const detached = request.attendant?.detached === true ? request.attendant.console : undefined;
    this.#stdout = detached ?? streamOutput(process.stdout, onClosed);
    this.#stderr = detached ?? streamOutput(process.stderr, onClosed);
    this.#console = this.#openConsole(onClosed);
    this.#hvc = this.#openHvc(onClosed);
    this.#sendKeys =
      request.virtioConsole.kind === 'stdio'
        ? (bytes) => devices.sendToConsole(bytes)
        : (bytes) => this.#vm.send(consolePort, bytes);
    if (request.session !== 'interactive') this.#ready.resolve();
    this.#session = request.session === 'none' || request.session === 'agent' ? undefined : this.#openSession();
    this.#vm = new Vm({
      ...request,
      shared,
      devices: devices.all.map(({ device }) => device),
      sink: (port, bytes) => this.#receive(port, bytes),
      report: (number, reason) =>
        request.notice(
          `the guest's driver of ${devices.all[number]?.name} broke the rules (${reason}); the device stopped.`,
        ),
    });
    this.#fairUse = beginFairUse(this.#vm.processors, request.processorShare, request.notice);
    this.#window = new WindowSize((bytes) => this.#vm.send(channelPort, bytes));
    void this.#vm.started.then(() => {
      request.attendant?.started(this.#controls());
      if (request.agentCommand !== undefined) void this.#runAgentCommand(request.agentCommand);
    });
  }

  async run(): Promise<GuestResult> {
    const onSignal = (signal: NodeJS.Signals): void => this.#decide({ kind: 'signal', signal });
    const { timeoutMs, attendant } = this.#request;
    const ending = attendant?.detached === true ? signals.filter((signal) => signal !== 'SIGHUP') : signals;
    for (const signal of ending) process.on(signal, onSignal);
    const timer =
      timeoutMs === undefined ? undefined : setTimeout(() => this.#decide({ kind: 'timed-out' }), timeoutMs);
    this.#openInput();
    const memoryTimer = setInterval(() => this.#balloon?.requestStatistics(), memoryStatisticsMs).unref();
    let report: VmReport | undefined;
    const reported = this.#vm.ended.then((value): GuestEnd => {
      report = value;
      return this.#endOf(value);
    });
    const end = await Promise.race([reported, this.#decided]);
    this.#over = true;
    // A guest that is reset may have asked for more.
    this.#request.input.handOver();
    clearTimeout(timer);
    clearInterval(memoryTimer);
    this.#fairUse.end();
    this.#terminal?.restore();
    process.stdout.off('resize', this.#resized);
    this.#vm.stop();
    const settled = reported.then(() =>
      Promise.all([this.#stdout, this.#stderr, this.#console, this.#hvc].map((output) => output.flush())),
    );
    // A guest that ended is owed all of its output. Where something else ended the run, a reader that no longer
    // reads must not keep it alive.
    const owed = ['outcome', 'reboot', 'command', 'cut-short', 'no-command', 'refused', 'crashed'].includes(end.kind);
    await (owed ? settled : Promise.race([settled, delay(settleMs, undefined, { ref: false })]));
    for (const signal of ending) process.off(signal, onSignal);
    this.#ready.resolve();
    attendant?.ended();
    for (const output of [this.#stdout, this.#stderr, this.#console, this.#hvc]) output.release();
    const { statistics, profile } = report?.kind === 'ended' ? report : { statistics: {}, profile: [] };
    return {
      end,
      statistics: this.#withOwnStatistics(statistics),
      profile,
      console: this.#tail.lines(tailLines, panicMark),
    };
  }

  /** Pauses the guest while the host has no room for what it writes: its programs would take that for a broken disk. */
  async waitForRoom(disk: string, { message }: DiskFailure, retry: () => Promise<boolean>): Promise<void> {
    const { notice } = this.#request;
    if (this.#waitingForRoom++ === 0) {
      this.#vm.setWaitingForRoom(true);
      notice(`there is no room for what the guest writes to ${disk} (${message}); it is paused until there is.`);
    }
    do await delay(roomRetryMs, undefined, { ref: false });
    while (!(await retry()));
    if (--this.#waitingForRoom > 0) return;
    this.#vm.setWaitingForRoom(false);
    notice('there is room again; the guest goes on.');
  }

  /** With what is counted outside the machine. */
  #withOwnStatistics(statistics: Statistics): Statistics {
    return { ...statistics, ...this.#fairUse.statistics(), ...this.#balloon?.counts() };
  }

  #openConsole(onClosed: (error: Error) => void): Output {
    const { serial, session } = this.#request;
    if (serial.kind === 'file') return fileOutput(serial.path, onClosed);
    if (session === 'command' || session === 'agent') return this.#tail;
    return serial.kind === 'stdio' ? this.#stdout : nowhere;
  }

  #openHvc(onClosed: (error: Error) => void): Output {
    const { virtioConsole } = this.#request;
    if (virtioConsole.kind === 'file') return fileOutput(virtioConsole.path, onClosed);
    return virtioConsole.kind === 'stdio' ? this.#stdout : nowhere;
  }

  /** Takes what the guest writes to hvc0. */
  writeHvc(bytes: Uint8Array): Promise<void> {
    return this.#hvc.write(bytes);
  }

  #openSession(): GuestSession {
    return new GuestSession({
      output: (stream, bytes) => (stream === 'stdout' ? this.#stdout : this.#stderr).write(bytes),
      readInput: (maxBytes) => this.#readInput(maxBytes),
      sendToGuest: (bytes) => void this.#vm.send(channelPort, bytes),
      ready: () => this.#becomeReady(),
      status: (status) => this.#decide({ kind: 'command', status }),
      malformed: (line) => this.#decide({ kind: 'malformed', line }),
    });
  }

  /** A command has no terminal: where standard input is one, its input is empty. */
  #readInput(maxBytes: number): Promise<Uint8Array> {
    const { session, input } = this.#request;
    const ofCommand = session === 'command' || session === 'agent';
    return ofCommand && process.stdin.isTTY ? Promise.resolve(new Uint8Array(0)) : input.read(maxBytes);
  }

  /** Runs the command when the guest is up, and has the guest power off then, also where there was no running it. */
  async #runAgentCommand(agent: AgentCommand): Promise<void> {
    const ran = await runAgentCommand(agent, {
      readInput: (maxBytes) => this.#readInput(maxBytes),
      output: (bytes) => this.#stdout.write(bytes),
      errors: (bytes) => this.#stderr.write(bytes),
    });
    if (this.#over) return;
    const end: GuestEnd = ran.ok ? { kind: 'command', status: ran.value } : { kind: 'no-command', failure: ran.error };
    this.#commandEnd = end;
    if (!ran.ok || !(await powerOffByAgent(agent.socket))) this.#vm.requests.pressPowerButton();
    const seconds = ran.ok ? powerOffSeconds : uselessGuestSeconds;
    await delay(seconds * 1000, undefined, { ref: false });
    if (this.#over) return;
    this.#request.notice(`the guest had not powered off after ${seconds} s; it was ended by force.`);
    this.#decide(end);
  }

  #openInput(): void {
    const { session, serial, virtioConsole } = this.#request;
    const connected = serial.kind === 'stdio' || virtioConsole.kind === 'stdio';
    if (!connected || (session !== 'none' && session !== 'interactive')) return;
    if (!process.stdin.isTTY) {
      void this.#pipeInput();
      return;
    }
    this.#terminal = new RawTerminal(process.stdin, {
      input: (bytes) => void this.#type(bytes),
      leave: () => this.#decide({ kind: 'left' }),
    });
    if (session === 'interactive') process.stdout.on('resize', this.#resized);
  }

  readonly #resized = (): void => {
    const { rows, columns } = process.stdout;
    void this.#resize(rows, columns);
  };

  /** What is typed before the guest's shell is there would be thrown away when its terminal is opened. */
  async #type(bytes: Uint8Array): Promise<void> {
    await this.#ready.promise;
    await this.#sendKeys(bytes);
  }

  async #resize(rows: number, columns: number): Promise<void> {
    if (this.#request.session !== 'interactive') return;
    await this.#ready.promise;
    this.#window.set(rows, columns);
  }

  async #requestPowerOff(): Promise<void> {
    this.#vm.requests.pressPowerButton();
    if (this.#request.session !== 'interactive' || this.#askedToPowerOff) return;
    this.#askedToPowerOff = true;
    await this.#ready.promise;
    await this.#vm.send(channelPort, encodePowerOff());
  }

  #becomeReady(): void {
    this.#ready.resolve();
    if (this.#terminal !== undefined && this.#session !== undefined) this.#resized();
  }

  #controls(): GuestControls {
    const { requests } = this.#vm;
    return {
      isPaused: () => requests.paused,
      type: (bytes) => this.#type(bytes),
      resize: (rows, columns) => void this.#resize(rows, columns),
      requestPowerOff: () => void this.#requestPowerOff(),
      stop: () => this.#decide({ kind: 'stopped' }),
      statistics: async () => {
        const statistics = await requests.statistics();
        return statistics === undefined ? undefined : this.#withOwnStatistics(statistics);
      },
      setPaused: (paused) => requests.setPaused(paused),
      balloon: this.#balloon,
    };
  }

  async #pipeInput(): Promise<void> {
    for (;;) {
      const bytes = await this.#request.input.read(rawInputBytes);
      if (bytes.length === 0) return;
      if ((await this.#sendKeys(bytes)) === false) return;
    }
  }

  #receive(port: SerialPort, bytes: Uint8Array): Promise<void> {
    if (port === consolePort) {
      const { attendant, serial } = this.#request;
      if (attendant !== undefined && attendant.console !== this.#console && serial.kind !== 'none') {
        void attendant.console.write(bytes);
      }
      return this.#console.write(bytes);
    }
    return this.#session?.receive(bytes) ?? Promise.resolve();
  }

  #endOf(report: VmReport): GuestEnd {
    if (report.kind !== 'ended') return report;
    const { outcome } = report;
    const asked = this.#session?.goingDown === true;
    if (outcome.kind === 'reset' && asked) return { kind: 'reboot' };
    if (outcome.kind === 'power-off' || outcome.kind === 'reset') {
      const end = this.#commandEnd;
      // An agent that went away with its guest has no more to say than the guest.
      if (end !== undefined && (end.kind !== 'no-command' || end.failure.kind !== 'connection')) return end;
    }
    const ofCommand = this.#request.session === 'command' || this.#request.session === 'agent';
    if (outcome.kind === 'power-off' && ofCommand && !asked) return { kind: 'cut-short' };
    return { kind: 'outcome', outcome };
  }
}

export async function runGuest(request: GuestRequest): Promise<GuestResult> {
  let run: GuestRun | undefined;
  const advice = openMemoryAdvice();
  const devices = createGuestDevices(request.devices, {
    noSpace: (disk, failure, retry) => run?.waitForRoom(disk, failure, retry) ?? Promise.resolve(),
    consoleOutput: (bytes) => run?.writeHvc(bytes) ?? Promise.resolve(),
    releaseMemory: (offset, length) => {
      if (shared.ok) advice?.release(shared.value.ram.buffer, offset, length);
    },
  });
  // What is compiled for one set of flags does not hold for another.
  await request.threads.loaded();
  setFlagsForGuests();
  lowerCompilers();
  const shared = allocateMachine(
    request.config.memoryBytes,
    devices.all.map(({ device }) => device.description),
    apicIdsOf(request.config.topology ?? uniprocessor),
  );
  if (!shared.ok) return { end: { kind: 'refused', failure: shared.error }, statistics: {}, profile: [], console: [] };
  for (const { buffer } of [shared.value.ram, ...shared.value.processors]) advice?.preferLargePages(buffer);
  if (devices.balloon !== undefined && advice === undefined)
    request.notice('this host takes no memory back from a guest; --balloon is without effect.');
  run = new GuestRun(request, devices, shared.value);
  return run.run();
}
