/** What a host asks a running machine for: its power button, a pause, counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bareMetal,
  type Code,
  exit,
  exitWithAl,
  type Handler,
  haltUntil,
  hlt,
  increment,
  iret,
  out,
  sti,
  store,
  variable,
  word,
} from './testing/guest.ts';
import { machineWith, TestHost } from './testing/host.ts';

const localApic = 0xfee0_0000;
const millisecond = 1_000_000;
const hourNs = 3_600_000_000_000;
const pm1Enable = 0x602;
/** OUT of a word, by DX. */
const outWord = (port: number, value: number): number[] => [
  ...[0x66, 0xba, ...word(port)],
  ...[0x66, 0xb8, ...word(value), 0x66, 0xef],
];

function run(host: TestHost, code: Code, handlers: readonly Handler[] = []) {
  return machineWith(bareMetal(code, handlers), host).run();
}

test('the power button interrupts a guest that has enabled it, and S5 follows', () => {
  const host = new TestHost();
  host.requests.push('power-button');
  // IRQ9 of the second 8259, which comes in at IRQ2 of the first.
  const unmask = [out(0x21, 0xfb), out(0xa1, 0xfd)];
  const handler = { vector: 0x71, code: [outWord(0x604, (5 << 10) | 0x2000), iret] };
  const outcome = run(host, [...unmask, outWord(pm1Enable, 0x0100), sti, hlt, exit(1)], [handler]);
  assert.deepEqual(outcome, { kind: 'power-off' });
});

test('a guest that has not enabled the power button does not notice it', () => {
  const host = new TestHost();
  host.requests.push('power-button');
  assert.deepEqual(run(host, [out(0x21, 0xfb), out(0xa1, 0xfd), sti, hlt, exit(1)]), { kind: 'stopped' });
});

/** Arms the local APIC's timer for 5 ms, waits for it, and ends with the high half of the TSC: 4.3 s each. */
const timerThenTsc = [
  store(localApic + 0x320, 0x40),
  store(localApic + 0x3e0, 0b1011),
  store(localApic + 0x380, 5 * millisecond),
  ...[sti, haltUntil(variable, 1)],
  // RDTSC; MOV AL, DL.
  [0x0f, 0x31, 0x88, 0xd0, ...exitWithAl],
];
const timerHandler = { vector: 0x40, code: [increment(variable), store(localApic + 0xb0, 0), iret] };

test('guest time stands still while the machine is paused', () => {
  const host = new TestHost();
  host.pauseNs = hourNs;
  assert.deepEqual(run(host, timerThenTsc, [timerHandler]), { kind: 'debug-exit', value: 0 });
  assert.deepEqual(
    host.events.map(({ kind }) => kind),
    ['paused', 'resumed'],
  );
  assert.ok(Math.abs(host.sleptNs - 5 * millisecond) < millisecond / 10, `slept ${host.sleptNs} ns`);
});

test('a guest that is held back can be paused, asked and stopped', () => {
  const host = new TestHost();
  host.heldBack = Number.POSITIVE_INFINITY;
  host.pauseNs = hourNs;
  host.requests.push('statistics');
  let heldBackSeconds: number | undefined;
  const events: string[] = [];
  host.report = (event) => {
    events.push(event.kind);
    if (event.kind !== 'statistics') return;
    heldBackSeconds = event.statistics.heldBackSeconds;
    host.stop = true;
  };
  const outcome = run(host, [exit(1)]);
  assert.deepEqual(outcome, { kind: 'stopped' });
  assert.deepEqual(events, ['paused', 'statistics', 'resumed']);
  assert.ok((heldBackSeconds ?? 0) > 0);
});

test('a guest that was held back goes on, and its timers are late', () => {
  const host = new TestHost();
  host.heldBack = 50;
  assert.deepEqual(run(host, timerThenTsc, [timerHandler]), { kind: 'debug-exit', value: 0 });
  assert.equal(host.heldBack, 0);
});

test('a paused machine counts when asked, and a stop ends it', () => {
  const host = new TestHost();
  host.pauseNs = hourNs;
  host.requests.push('statistics');
  const events: string[] = [];
  host.report = (event) => {
    events.push(event.kind);
    if (event.kind === 'statistics') host.stop = true;
  };
  assert.deepEqual(run(host, timerThenTsc, [timerHandler]), { kind: 'stopped' });
  assert.deepEqual(events, ['paused', 'statistics', 'resumed']);
});
