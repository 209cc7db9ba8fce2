import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fail, ok, type Result } from '../../../support/result.ts';
import { askControl } from '../control/control-client.ts';
import { isAlive, signalProcess } from './process-identity.ts';
import { finishKilledVm, hasEnded, type VmEntry, vmSockets } from './registry.ts';

export interface StopRequest {
  /** How long the guest may take to power off; 0 does not ask it. */
  readonly timeoutMs: number;
}

const answerMs = 2000;
/** A machine has 2 s to look up before its thread is ended; its output and its viewers get some time, too. */
const forcedEndMs = 8000;
/** One that does not take connections may be writing down its end. */
const lastWordsMs = 3000;
const killMs = 5000;
const lookMs = 50;

/**
 * Ends a virtual machine: by its power button, then through its process, then with its process. One that does not run
 * has been stopped already. Errors: `input`, even the last did not help.
 * @returns whether the guest was asked and did not power off in time
 */
export async function stopVm(entry: VmEntry, { timeoutMs }: StopRequest): Promise<Result<{ ignored: boolean }>> {
  const sockets = vmSockets(entry);
  const holder = entry.process;
  const ended = ok({ ignored: false });
  if (sockets === undefined || holder === undefined) return ended;
  const over = (): boolean => hasEnded(entry);
  let ignored = false;
  if (timeoutMs > 0) {
    const asked = await askControl<'powerButton'>(sockets.control, { command: 'powerButton' }, answerMs);
    // A guest that stands still cannot power off.
    if (asked.ok) await askControl<'resume'>(sockets.control, { command: 'resume' }, Math.min(answerMs, timeoutMs));
    if (asked.ok && (await comesTrue(over, timeoutMs))) return ended;
    ignored = asked.ok;
  }
  const told = await askControl<'stop'>(sockets.control, { command: 'stop' }, answerMs);
  if (await comesTrue(over, told.ok ? forcedEndMs : lastWordsMs)) return ok({ ignored });
  signalProcess(holder, 'SIGKILL');
  if (!(await comesTrue(() => !isAlive(holder), killMs))) {
    return fail('input', `process ${holder.pid}, which runs ${entry.name}, cannot be ended.`);
  }
  const outcome = { kind: 'stopped', status: 128 + constants.signals.SIGKILL, summary: 'ended by force' };
  const written = finishKilledVm(entry.name, holder, { ...outcome, endedAt: new Date().toISOString() });
  return written.ok ? ok({ ignored }) : written;
}

async function comesTrue(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() >= deadline) return false;
    await delay(lookMs);
  }
  return true;
}
