import type { AgentCommand } from '../../host/node/agent/agent-session.ts';
import { provideFirmware } from '../../host/node/guest/firmware-package.ts';
import { type LinuxPackages, provideLinuxPackages } from '../../host/node/guest/linux-packages.ts';
import { buildUserland, type Session, type UserlandParts } from '../../host/node/guest/linux-userland.ts';
import type { GuestAttendant } from '../../host/node/guest-attendant.ts';
import { type GuestDeviceOptions, guestModules } from '../../host/node/guest-devices.ts';
import type { GuestThreads } from '../../host/node/guest-threads.ts';
import { findInputFile, readInputFile } from '../../host/node/input-file.ts';
import { runGuest, type SessionKind } from '../../host/node/run-guest.ts';
import { PulledInput } from '../../host/node/standard-input.ts';
import type { BootData, BootModule, MachineConfig } from '../../machine/config.ts';
import { type Failure, ok, type Result } from '../../support/result.ts';
import { conclude, printProfile, printStatistics, type RunEnd, refuse } from '../conclusion.ts';
import { withDebian } from '../debian-guest.ts';
import { exitStatus } from '../exit-status.ts';
import { say } from '../messages.ts';
import { runDetached, runNamed } from '../named-run.ts';
import { openDevices } from '../run-devices.ts';
import { parseRunOptions, type RunOptions, runHelp } from '../run-options.ts';

/** `panic=-1`: a kernel that panics resets at once, which ends the run. */
const linuxCommandLine = 'console=ttyS0,115200 panic=-1';

export async function runCommand(args: readonly string[], threads: GuestThreads): Promise<number> {
  const options = parseRunOptions(args);
  if (!options.ok) return refuse(options.error);
  if (options.value === 'help') {
    process.stdout.write(runHelp);
    return exitStatus.ok;
  }
  const run = options.value;
  if (run.detach) return runDetached(run, args);
  const { name } = run;
  if (name === undefined) return (await runWith(run, threads)).status;
  const vm = { name, options: run, args, messages: undefined };
  return runNamed(vm, (attendant) => runWith(run, threads, attendant));
}

/** The process that `run --detach` starts. @param args the name, a file for messages, and the arguments of `run` */
export async function runDetachedCommand(args: readonly string[], threads: GuestThreads): Promise<number> {
  const [name, messages, ...rest] = args;
  const options = parseRunOptions(rest);
  if (!options.ok) return refuse(options.error);
  if (name === undefined || messages === undefined || options.value === 'help') return exitStatus.usage;
  // It may have been given none; whoever makes something for this virtual machine alone goes by its name.
  const run = { ...options.value, name };
  return runNamed({ name, options: run, args: rest, messages }, (attendant) => runWith(run, threads, attendant));
}

async function runWith(given: RunOptions, threads: GuestThreads, attendant?: GuestAttendant): Promise<RunEnd> {
  const complete = given.guest === 'debian' ? await withDebian(given) : ok(given);
  if (!complete.ok) return refused(complete.error);
  const options = complete.value;
  const devices = await openDevices(options, say);
  if (!devices.ok) return refused(devices.error);
  // What stands for a whole computer starts again when it is reset.
  const reboots = (given.guest === 'debian' || given.guest === 'disk') && given.command === undefined;
  const end = await runUntilItEnds(options, threads, { devices: devices.value.options, attendant, reboots });
  const complaints = await devices.value.close();
  complaints.forEach(say);
  return end.status === exitStatus.ok && complaints.length > 0 ? { ...end, status: exitStatus.badInput } : end;
}

function refused(failure: Failure): RunEnd {
  return { status: refuse(failure), kind: 'refused', summary: failure.message };
}

interface RunSurroundings {
  readonly devices: GuestDeviceOptions;
  readonly attendant: GuestAttendant | undefined;
  /** A reset starts the guest again, instead of ending the run. */
  readonly reboots: boolean;
}

async function runUntilItEnds(
  options: RunOptions,
  threads: GuestThreads,
  { devices, attendant, reboots }: RunSurroundings,
): Promise<RunEnd> {
  const session = sessionFor(options);
  const input = new PulledInput(() => process.stdin);
  let deadline: number | undefined;
  for (;;) {
    const config = await prepare(options, session, devices);
    if (!config.ok) return refused(config.error);
    if (options.timeoutMs !== undefined) deadline ??= performance.now() + options.timeoutMs;
    const onTerminal = session.kind === 'interactive' || (reboots && process.stdin.isTTY);
    if (onTerminal && !options.detach) say('starting the guest; Ctrl-] leaves');
    const result = await runGuest({
      config: config.value,
      threads,
      devices,
      notice: say,
      processorShare: options.processorShare,
      session: session.kind,
      agentCommand: agentCommandOf(options, devices),
      serial: options.serial,
      virtioConsole: options.virtioConsole ?? { kind: 'none' },
      timeoutMs: deadline === undefined ? undefined : Math.max(1, deadline - performance.now()),
      input,
      attendant,
    });
    if (options.stats) printStatistics(result.statistics, options.json);
    if (options.profile) printProfile(result.profile, options.json);
    const reset = result.end.kind === 'outcome' && result.end.outcome.kind === 'reset';
    if (result.end.kind !== 'reboot' && !(reboots && reset)) return conclude(result);
  }
}

type OtherSession = { readonly kind: 'none' } | { readonly kind: 'agent' };

/** The linux guest's userland speaks the channel's protocol; any other guest has its console alone, and maybe an agent. */
function sessionFor(options: RunOptions): Session | OtherSession {
  if (options.command !== undefined)
    return options.linux ? { kind: 'command', command: options.command } : { kind: 'agent' };
  if (!options.linux || options.initrd !== undefined) return { kind: 'none' };
  if (options.detach) return { kind: 'interactive', device: 'ttyS0', terminal: 'xterm', rows: 24, columns: 80 };
  const onHvc = options.virtioConsole?.kind === 'stdio';
  if (!process.stdin.isTTY || (!onHvc && options.serial.kind !== 'stdio')) return { kind: 'lines' };
  const { columns = 80, rows = 24 } = process.stdout;
  const terminal = /^[A-Za-z0-9._+-]{1,64}$/.test(process.env.TERM ?? '') ? (process.env.TERM as string) : 'vt100';
  return { kind: 'interactive', device: onHvc ? 'hvc0' : 'ttyS0', terminal, rows, columns };
}

/** The command that a guest with an agent is to run. */
function agentCommandOf(
  { linux, command, agentPatienceMs }: RunOptions,
  { vsock }: GuestDeviceOptions,
): AgentCommand | undefined {
  if (linux || command === undefined || vsock === undefined) return undefined;
  return { socket: vsock.path, command, patienceMs: agentPatienceMs };
}

async function prepare(
  options: RunOptions,
  session: Session | OtherSession,
  devices: GuestDeviceOptions,
): Promise<Result<MachineConfig>> {
  const limit = options.memoryBytes;
  const machine = {
    memoryBytes: options.memoryBytes,
    codeCacheBytes: options.codeCacheBytes,
    profile: options.profile,
    countsTlbHits: options.countsTlbHits,
    accel: options.accel,
    cpuModel: options.cpuModel,
    topology: options.topology,
    debugExit: options.debugExit,
  };
  if (options.guest === 'disk') {
    const { bios } = options;
    const image = bios === undefined ? await provideFirmware(say) : await readInputFile('firmware', bios, limit);
    return image.ok ? ok({ ...machine, boot: { kind: 'firmware', image: image.value } }) : image;
  }
  const modules: BootModule[] = [];
  for (const text of options.modules) {
    const data = await findInputFile('module', modulePath(text), limit);
    if (!data.ok) return data;
    modules.push({ data: data.value, commandLine: text });
  }
  let kernel: Uint8Array | undefined;
  if (options.kernel !== undefined) {
    const file = await readInputFile('kernel', options.kernel, limit);
    if (!file.ok) return file;
    kernel = file.value;
  }
  let initrd: BootData | undefined;
  if (options.initrd !== undefined) {
    const file = await findInputFile('initrd', options.initrd, limit);
    if (!file.ok) return file;
    initrd = file.value;
  }
  const userland = session.kind === 'none' || session.kind === 'agent' ? undefined : session;
  if (kernel === undefined || userland !== undefined) {
    const packages = await provideLinuxPackages(say, options.shares.length > 0 ? 'complete' : 'small');
    if (!packages.ok) return packages;
    kernel ??= packages.value.kernel;
    if (userland !== undefined) initrd = buildUserland(userlandParts(packages.value, options, devices), userland);
  }
  const boot = { kind: 'kernel', kernel, commandLine: commandLine(options, session.kind), modules } as const;
  return ok({ ...machine, boot: initrd === undefined ? boot : { ...boot, initrd } });
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
  if (session === 'command' || session === 'agent') parts.push('quiet');
  if (options.append !== '') parts.push(options.append);
  return parts.join(' ');
}
