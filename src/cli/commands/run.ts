import { constants } from 'node:os';
import { closeDisks, openDisks } from '../../host/node/disks.ts';
import { type LinuxPackages, provideLinuxPackages } from '../../host/node/guest/linux-packages.ts';
import { buildUserland, type Session, type UserlandParts } from '../../host/node/guest/linux-userland.ts';
import { type GuestDeviceOptions, guestModules } from '../../host/node/guest-devices.ts';
import { readInputFile } from '../../host/node/input-file.ts';
import { type NetworkOptions, openNetworks } from '../../host/node/net/network.ts';
import { openPortSockets } from '../../host/node/port-socket.ts';
import { type GuestEnd, type GuestResult, runGuest, type SessionKind } from '../../host/node/run-guest.ts';
import { PulledInput } from '../../host/node/standard-input.ts';
import type { BootModule, MachineConfig, Outcome, Statistics } from '../../machine/config.ts';
import type { ProfileEntry } from '../../machine/profile.ts';
import { type Failure, ok, type Result } from '../../support/result.ts';
import { exitStatus } from '../exit-status.ts';
import { say } from '../messages.ts';
import { defaultNetwork } from '../net-options.ts';
import { parseRunOptions, type RunOptions, runHelp } from '../run-options.ts';

/** `panic=-1`: a kernel that panics resets at once, which ends the run. */
const linuxCommandLine = 'console=ttyS0,115200 panic=-1';

export async function runCommand(args: readonly string[], machineModule: URL): Promise<number> {
  const options = parseRunOptions(args);
  if (!options.ok) return refuse(options.error);
  if (options.value === 'help') {
    process.stdout.write(runHelp);
    return exitStatus.ok;
  }
  return runWith(options.value, machineModule);
}

async function runWith(options: RunOptions, machineModule: URL): Promise<number> {
  const disks = await openDisks(options.disks);
  if (!disks.ok) return refuse(disks.error);
  const ports = await openPortSockets(options.ports);
  if (!ports.ok) {
    await closeDisks(disks.value);
    return refuse(ports.error);
  }
  const networks = await openNetworks(networksOf(options), options.capturePath, say);
  if (!networks.ok) {
    for (const port of ports.value) port.close();
    await closeDisks(disks.value);
    return refuse(networks.error);
  }
  const status = await runUntilItEnds(options, machineModule, {
    disks: disks.value,
    ports: ports.value,
    networks: networks.value.all,
    console: options.virtioConsole !== undefined,
    balloonBytes: options.balloonBytes,
  });
  for (const port of ports.value) port.close();
  const complaints = [...networks.value.close(), ...(await closeDisks(disks.value))];
  complaints.forEach(say);
  return status === exitStatus.ok && complaints.length > 0 ? exitStatus.badInput : status;
}

/** The linux guest has a network unless it is told otherwise; what another guest would do with one, nobody knows. */
function networksOf({ networks, linux }: RunOptions): readonly NetworkOptions[] {
  return networks ?? (linux ? [defaultNetwork] : []);
}

async function runUntilItEnds(options: RunOptions, machineModule: URL, devices: GuestDeviceOptions): Promise<number> {
  const session = sessionFor(options);
  const input = new PulledInput(() => process.stdin);
  let deadline: number | undefined;
  for (;;) {
    const config = await prepare(options, session, devices);
    if (!config.ok) return refuse(config.error);
    if (options.timeoutMs !== undefined) deadline ??= performance.now() + options.timeoutMs;
    if (session.kind === 'interactive') say('starting the guest; Ctrl-] leaves');
    const result = await runGuest({
      config: config.value,
      machineModule,
      devices,
      notice: say,
      session: session.kind,
      serial: options.serial,
      virtioConsole: options.virtioConsole ?? { kind: 'none' },
      timeoutMs: deadline === undefined ? undefined : Math.max(1, deadline - performance.now()),
      input,
    });
    if (options.stats) printStatistics(result.statistics, options.json);
    if (options.profile) printProfile(result.profile, options.json);
    if (result.end.kind !== 'reboot') return conclude(result);
  }
}

/** The linux guest's userland speaks the channel's protocol; any other guest has its console alone. */
function sessionFor(options: RunOptions): Session | { kind: 'none' } {
  if (options.command !== undefined) return { kind: 'command', command: options.command };
  if (!options.linux || options.initrd !== undefined) return { kind: 'none' };
  const onHvc = options.virtioConsole?.kind === 'stdio';
  if (!process.stdin.isTTY || (!onHvc && options.serial.kind !== 'stdio')) return { kind: 'lines' };
  const { columns = 80, rows = 24 } = process.stdout;
  const terminal = /^[A-Za-z0-9._+-]{1,64}$/.test(process.env.TERM ?? '') ? (process.env.TERM as string) : 'vt100';
  return { kind: 'interactive', device: onHvc ? 'hvc0' : 'ttyS0', terminal, rows, columns };
}

async function prepare(
  options: RunOptions,
  session: Session | { kind: 'none' },
  devices: GuestDeviceOptions,
): Promise<Result<MachineConfig>> {
  const limit = options.memoryBytes;
  const modules: BootModule[] = [];
  for (const text of options.modules) {
    const data = await readInputFile('module', modulePath(text), limit);
    if (!data.ok) return data;
    modules.push({ data: data.value, commandLine: text });
  }
  let kernel: Uint8Array | undefined;
  if (options.kernel !== undefined) {
    const file = await readInputFile('kernel', options.kernel, limit);
    if (!file.ok) return file;
    kernel = file.value;
  }
  let initrd: Uint8Array | undefined;
  if (options.initrd !== undefined) {
    const file = await readInputFile('initrd', options.initrd, limit);
    if (!file.ok) return file;
    initrd = file.value;
  }
  if (kernel === undefined || session.kind !== 'none') {
    const packages = await provideLinuxPackages(say);
    if (!packages.ok) return packages;
    kernel ??= packages.value.kernel;
    if (session.kind !== 'none') initrd = buildUserland(userlandParts(packages.value, options, devices), session);
  }
  const boot = { kind: 'kernel', kernel, commandLine: commandLine(options, session.kind), modules } as const;
  return ok({
    memoryBytes: options.memoryBytes,
    codeCacheBytes: options.codeCacheBytes,
    profile: options.profile,
    boot: initrd === undefined ? boot : { ...boot, initrd },
    accel: options.accel,
    cpuModel: options.cpuModel,
    debugExit: options.debugExit,
  });
}

/** The modules belong to the distribution's kernel; another one brings what it needs. */
function userlandParts(
  { busybox, modules }: LinuxPackages,
  { kernel }: RunOptions,
  devices: GuestDeviceOptions,
): UserlandParts {
  const cards = devices.networks.map(({ hasDhcp }) => ({ hasDhcp }));
  if (kernel !== undefined) return { busybox, cards };
  return { busybox, modules: { archive: modules, load: guestModules(devices) }, cards };
}

/** `FILE ARGUMENTS`, or a name that contains spaces itself when there are no arguments. */
function modulePath(text: string): string {
  return text.split(' ', 1)[0] as string;
}

function commandLine(options: RunOptions, session: SessionKind): string {
  const parts = options.linux ? [linuxCommandLine] : [];
  // Nobody sees the console of a command; a quiet kernel is up sooner.
  if (session === 'command') parts.push('quiet');
  if (options.append !== '') parts.push(options.append);
  return parts.join(' ');
}

function refuse(failure: Failure): number {
  say(failure.message);
  const usage = failure.kind === 'usage' || failure.kind === 'configuration';
  return usage ? exitStatus.usage : exitStatus.badInput;
}

function printStatistics(statistics: Statistics, json: boolean): void {
  if (json) {
    process.stderr.write(`${JSON.stringify(statistics)}\n`);
    return;
  }
  const names = Object.keys(statistics);
  const width = Math.max(0, ...names.map((name) => name.length)) + 2;
  for (const name of names) process.stderr.write(`${name.padEnd(width)}${statistics[name]?.toLocaleString('en-US')}\n`);
}

function printProfile(profile: readonly ProfileEntry[], json: boolean): void {
  if (json) {
    process.stderr.write(`${JSON.stringify({ profile })}\n`);
    return;
  }
  for (const { samples, tier, code } of profile) process.stderr.write(`${samples} samples, ${tier}\n${code}\n`);
}

/** Says what has to be said about the end, and gives its exit status. */
function conclude(result: GuestResult): number {
  const end: GuestEnd = result.end;
  switch (end.kind) {
    case 'outcome':
      return concludeOutcome(end.outcome, result.console);
    case 'command':
      return end.status;
    case 'cut-short':
      say('the guest powered off before the command had ended; the last lines of its console:');
      showConsole(result.console);
      return exitStatus.guestDied;
    case 'left':
    case 'reboot':
      return exitStatus.ok;
    case 'timed-out':
      say('the time given with --timeout has passed.');
      showConsole(result.console);
      return exitStatus.timedOut;
    case 'signal':
      return exitStatus.signalBase + constants.signals[end.signal];
    case 'output-closed':
      // A reader that has enough closes its pipe; that is no error worth a sentence.
      if (end.brokenPipe) return exitStatus.signalBase + constants.signals.SIGPIPE;
      say(`the output could not be written (${end.message}).`);
      return exitStatus.badInput;
    case 'malformed':
      say(`the guest's userland sent something that is not part of its protocol (${JSON.stringify(end.line)}).`);
      return exitStatus.guestDied;
    case 'refused':
      return refuse(end.failure);
    case 'crashed':
      say(`the machine failed; this is a defect in corbel.\n${end.error}`);
      return exitStatus.internal;
  }
}

function concludeOutcome(outcome: Outcome, console: readonly string[]): number {
  switch (outcome.kind) {
    case 'power-off':
      return exitStatus.ok;
    case 'debug-exit':
      return ((outcome.value << 1) | 1) & 0xff;
    case 'guest-died':
      say(`the guest died: ${outcome.reason}.\n${outcome.report.trimEnd()}`);
      showConsole(console);
      return exitStatus.guestDied;
    case 'reset':
      say('the guest reset itself, as a kernel does after a panic.');
      showConsole(console);
      return exitStatus.guestDied;
    case 'stopped':
      say("the machine's thread ended without a result; this is a defect in corbel.");
      return exitStatus.internal;
  }
}

function showConsole(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`  ${line}\n`);
}
