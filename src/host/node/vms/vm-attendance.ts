/**
 * What a virtual machine with a name has besides its guest: the console for viewers and the log, and the control socket.
 * It stays while the guest reboots.
 */
import { join } from 'node:path';
import { fail, ok, type Result } from '../../../support/result.ts';
import { type ControlAnswer, ControlServer } from '../control/control-server.ts';
import type { ControlRequest } from '../control/protocol.ts';
import type { GuestAttendant, GuestControls } from '../guest-attendant.ts';
import { ConsoleHub } from './console-hub.ts';
import { ConsoleLog, consoleLogFile } from './console-log.ts';
import type { VmClaim } from './registry.ts';
import { socketName } from './vm-folders.ts';

const nothing: ControlAnswer = ok({});

export class VmAttendance implements GuestAttendant {
  readonly console: ConsoleHub;
  readonly detached: boolean;
  readonly #name: string;
  readonly #control: ControlServer;
  readonly #onStarted: () => void;
  #controls: GuestControls | undefined;
  #stopRequested = false;
  #hasRun = false;

  /** @param onStarted called when the guest runs for the first time */
  static async open(claim: VmClaim, detached: boolean, onStarted: () => void): Promise<Result<VmAttendance>> {
    const attendance = new VmAttendance(claim, detached, onStarted);
    const opened = [
      await attendance.console.listen(join(claim.socketsFolder, socketName.console)),
      await attendance.#control.listen(join(claim.socketsFolder, socketName.control)),
    ];
    const failed = opened.find((result) => !result.ok);
    if (failed === undefined) return ok(attendance);
    await attendance.close();
    return failed as Result<never>;
  }

  private constructor(claim: VmClaim, detached: boolean, onStarted: () => void) {
    this.#name = claim.name;
    this.detached = detached;
    this.#onStarted = onStarted;
    const log = new ConsoleLog(consoleLogFile(claim.stateFolder));
    this.console = new ConsoleHub(log, (bytes) => this.#controls?.type(bytes) ?? Promise.resolve());
    this.#control = new ControlServer((request) => this.#meet(request));
  }

  /** Whether the guest runs now. */
  get running(): boolean {
    return this.#controls !== undefined;
  }

  /** Whether the guest has ever run. */
  get hasRun(): boolean {
    return this.#hasRun;
  }

  started(controls: GuestControls): void {
    this.#controls = controls;
    if (this.#stopRequested) controls.stop();
    if (!this.#hasRun) this.#onStarted();
    this.#hasRun = true;
  }

  ended(): void {
    this.#controls = undefined;
  }

  async close(): Promise<void> {
    await this.console.close();
    await this.#control.close();
  }

  async #meet(request: ControlRequest): Promise<ControlAnswer> {
    const controls = this.#controls;
    if (request.command === 'status') return ok({ name: this.#name, pid: process.pid, state: this.#state() });
    if (request.command === 'stop') {
      this.#stopRequested = true;
      controls?.stop();
      return nothing;
    }
    if (controls === undefined) return fail('not-running', 'There is no machine at the moment.');
    switch (request.command) {
      case 'powerButton':
        controls.requestPowerOff();
        return nothing;
      case 'resizeConsole':
        controls.resize(request.rows, request.columns);
        return nothing;
      case 'pause':
        return (await controls.setPaused(true)) ? nothing : noAnswer();
      case 'resume':
        return (await controls.setPaused(false)) ? nothing : noAnswer();
      case 'statistics': {
        const statistics = await controls.statistics();
        return statistics === undefined ? noAnswer() : ok({ statistics });
      }
      case 'balloon':
        return controls.balloon === undefined ? noBalloon() : ok({ balloon: controls.balloon.facts() });
      case 'setBalloon':
        if (controls.balloon === undefined) return noBalloon();
        return controls.balloon.setTarget(request.targetBytes)
          ? nothing
          : fail('too-much', "that is more than the guest's memory.");
    }
  }

  #state(): 'starting' | 'running' | 'paused' {
    if (this.#controls === undefined) return 'starting';
    return this.#controls.isPaused() ? 'paused' : 'running';
  }
}

function noBalloon(): ControlAnswer {
  return fail('no-balloon', 'it has no balloon; "corbel run --balloon SIZE" gives it one.');
}

function noAnswer(): ControlAnswer {
  return fail('no-answer', 'The machine does not look up: it waits for who reads its console, or has just ended.');
}
