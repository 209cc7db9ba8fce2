/**
 * Which process is meant: its number and when it was started, as numbers are used again.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque: equal for the same process alone. */
  readonly started: string;
}

/** Fields of /proc/PID/stat behind the name, which may contain anything: the state is the third of all. proc(5). */
const stateField = 0;
const startTimeField = 22 - 3;

/** @returns undefined when there is no such process, or when it has ended and only waits for its parent */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const started = process.platform === 'linux' ? startedOnLinux(pid) : startedElsewhere(pid);
  return started === undefined ? undefined : { pid, started };
}

/** Whether any process has that number, maybe one that has ended and waits for its parent. Costs next to nothing on every host. */
export function isNumberInUse(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.started === identity.started;
}

/** Sends a signal, unless the process has ended. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

function startedOnLinux(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (/^[ZXx]/.test(fields[stateField] ?? '')) return undefined;
    // Counted from the start of the system, which differs from one to the next.
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return `${boot}/${fields[startTimeField]}`;
  } catch {
    return undefined;
  }
}

function startedElsewhere(pid: number): string | undefined {
  const { stdout } = spawnSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'latin1' });
  const [, state, started] = /^\s*(\S+)\s+(.*\S)\s*$/.exec(stdout ?? '') ?? [];
  return state === undefined || state.startsWith('Z') ? undefined : started;
}
