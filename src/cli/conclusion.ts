/** How a run ends for the user: what is said about it, and its exit status. */
import { constants } from 'node:os';
import type { GuestEnd } from '../host/node/guest-end.ts';
import type { GuestResult } from '../host/node/run-guest.ts';
import type { Outcome, Statistics } from '../machine/config.ts';
import type { ProfileEntry } from '../machine/profile.ts';
import type { Failure } from '../support/result.ts';
import { exitStatus } from './exit-status.ts';
import { say } from './messages.ts';

export function refuse(failure: Failure): number {
  say(failure.message);
  const usage = failure.kind === 'usage' || failure.kind === 'configuration';
  return usage ? exitStatus.usage : exitStatus.badInput;
}

export function printStatistics(statistics: Statistics, json: boolean): void {
  if (json) {
    process.stderr.write(`${JSON.stringify(statistics)}\n`);
    return;
  }
  const names = Object.keys(statistics);
  const width = Math.max(0, ...names.map((name) => name.length)) + 2;
  for (const name of names) process.stderr.write(`${name.padEnd(width)}${statistics[name]?.toLocaleString('en-US')}\n`);
}

export function printProfile(profile: readonly ProfileEntry[], json: boolean): void {
  if (json) {
    process.stderr.write(`${JSON.stringify({ profile })}\n`);
    return;
  }
  for (const { milliseconds, tier, code } of profile) {
    process.stderr.write(`${milliseconds.toFixed(1)} ms, ${tier}\n${code}\n`);
  }
}

/** How a run ended: its exit status, a word for programs and some for people. */
export interface RunEnd {
  readonly status: number;
  readonly kind: string;
  readonly summary: string;
}

/** Says what has to be said about the end. */
export function conclude(result: GuestResult): RunEnd {
  return { status: sayEnd(result), ...summarise(result.end) };
}

/** A line about the end, for a list. */
function summarise(end: GuestEnd): { kind: string; summary: string } {
  switch (end.kind) {
    case 'outcome': {
      const { outcome } = end;
      const died = outcome.kind === 'guest-died' ? `the guest died: ${outcome.reason}` : undefined;
      return { kind: outcome.kind, summary: died ?? outcomeSummaries[outcome.kind] ?? outcome.kind };
    }
    case 'command':
      return { kind: end.kind, summary: `the command ended with status ${end.status}` };
    case 'signal':
      return { kind: end.kind, summary: `ended by ${end.signal}` };
    case 'refused':
    case 'no-command':
      return { kind: end.kind, summary: end.failure.message };
    default:
      return { kind: end.kind, summary: endSummaries[end.kind] };
  }
}

const outcomeSummaries: Readonly<Record<string, string>> = {
  'power-off': 'the guest powered off',
  reset: 'the guest reset itself',
  'debug-exit': 'the guest left by the debug exit port',
};

const endSummaries = {
  reboot: 'the guest reboots',
  'cut-short': 'the guest powered off before the command had ended',
  left: 'its user left',
  stopped: 'ended by force',
  'timed-out': 'the time given with --timeout passed',
  'output-closed': 'its output could not be written',
  malformed: "the guest's userland broke its protocol",
  crashed: 'a defect in corbel',
} as const;

function sayEnd(result: GuestResult): number {
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
    case 'stopped':
      say('the virtual machine was ended by force.');
      return exitStatus.signalBase + constants.signals.SIGKILL;
    case 'no-command': {
      const status = refuse(end.failure);
      say('the last lines of the console:');
      showConsole(result.console);
      return status;
    }
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
