import { provideLinuxPackages } from '../../host/node/guest/linux-packages.ts';
import { buildUserland, type Session } from '../../host/node/guest/linux-userland.ts';
import { readInputFile } from '../../host/node/input-file.ts';
import { runGuest, type SessionKind } from '../../host/node/run-guest.ts';
import { PulledInput } from '../../host/node/standard-input.ts';
import type { BootModule, MachineConfig } from '../../machine/config.ts';
import { ok, type Result } from '../../support/result.ts';
import { conclude, printProfile, printStatistics, refuse } from '../conclusion.ts';
import { exitStatus } from '../exit-status.ts';
import { say } from '../messages.ts';
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
  const session = sessionFor(options);
  const input = new PulledInput(() => process.stdin);
  let deadline: number | undefined;
  for (;;) {
    const config = await prepare(options, session);
    if (!config.ok) return refuse(config.error);
    if (options.timeoutMs !== undefined) deadline ??= performance.now() + options.timeoutMs;
    if (session.kind === 'interactive') say('starting the guest; Ctrl-] leaves');
    const result = await runGuest({
      config: config.value,
      machineModule,
      session: session.kind,
      serial: options.serial,
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
  if (!process.stdin.isTTY || options.serial.kind !== 'stdio') return { kind: 'lines' };
  const { columns = 80, rows = 24 } = process.stdout;
  const terminal = /^[A-Za-z0-9._+-]{1,64}$/.test(process.env.TERM ?? '') ? (process.env.TERM as string) : 'vt100';
  return { kind: 'interactive', terminal, rows, columns };
}

async function prepare(options: RunOptions, session: Session | { kind: 'none' }): Promise<Result<MachineConfig>> {
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
    if (session.kind !== 'none') initrd = buildUserland(packages.value.busybox, session);
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
