/**
 * Four virtual machines that fight for two cores, each within 5 % of its due. What other programs on the host take, they
 * take from all four: the dues are of what the four have together.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startBusyGuest, usedCores } from './busy-guests.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-shares-'));
// Nobody else's virtual machines.
process.env.XDG_RUNTIME_DIR = join(folder, 'run');
after(() => rmSync(folder, { recursive: true, force: true }));

const patience = { timeout: 600_000 };
const cores = 2;
/** Of so much a host can be sure that has other things to do, too. */
const limit = 0.1;
const reserve = 0.15;
const tolerance = 0.05;
/** Until the debts from starting are settled. */
const settleMs = 12_000;
const measuredSeconds = 20;
/** If other programs leave less, nothing can be measured: it is tried again so often. */
const leastCores = 0.4;
const patienceRounds = 5;
/** Hosts with more cores lend two. */
const onTwoCores = availableParallelism() > cores ? ['taskset', '-c', '0,1'] : [];

const sum = (values: readonly number[]): number => values.reduce((all, each) => all + each, 0);

type Dues = (total: number) => readonly number[];

/** In proportion. */
const parts =
  (...each: number[]): Dues =>
  (total) =>
    each.map((part) => (part * total) / sum(each));

/** @param dues in cores, of so many for all */
async function fight(options: readonly string[], dues: Dues, tell: (text: string) => void): Promise<void> {
  const guests = [];
  for (const words of options) {
    guests.push(
      await startBusyGuest(
        folder,
        words.split(' ').filter((word) => word !== ''),
        onTwoCores,
      ),
    );
  }
  await delay(settleMs);
  let used = await usedCores(guests, measuredSeconds);
  for (let n = 0; n < patienceRounds && sum(used) < leastCores; n++) used = await usedCores(guests, measuredSeconds);
  const ended = await Promise.all(guests.map((guest) => guest.end()));
  const total = sum(used);
  const due = dues(total);
  const off = used.map((each, n) => each / (due[n] as number) - 1);
  const percent = off.map((each) => `${(each * 100).toFixed(1)} %`).join(', ');
  const text = `${used.map((each) => each.toFixed(3)).join(', ')} of ${total.toFixed(3)} cores, off by ${percent}`;
  tell(text);
  assert.ok(total >= leastCores, `other programs leave next to nothing: ${text}`);
  for (const { stderr } of ended) assert.equal((JSON.parse(stderr) as Record<string, number>).otherMachines, 3);
  assert.ok(
    off.every((each) => Math.abs(each) <= tolerance),
    text,
  );
}

test('with equal shares each gets a quarter', patience, async (t) => {
  await fight(['', '', '', ''], parts(1, 1, 1, 1), (text) => t.diagnostic(text));
});

test('with shares of 3, 2, 2 and 1 each gets its part', patience, async (t) => {
  const options = [3072, 2048, 2048, 1024].map((shares) => `--cpu-shares ${shares}`);
  await fight(options, parts(3, 2, 2, 1), (text) => t.diagnostic(text));
});

test('with shares of 4, 2, 1 and 1 the first has a core for itself', patience, async (t) => {
  const options = [4096, 2048, 1024, 1024].map((shares) => `--cpu-shares ${shares}`);
  await fight(options, parts(4, 2, 1, 1), (text) => t.diagnostic(text));
});

test('a limit and a reserve hold, and the others divide the rest', patience, async (t) => {
  const options = [`--cpu-limit ${limit}`, `--cpu-shares 2 --cpu-reserve ${reserve}`, '', ''];
  const dues: Dues = (total) => {
    const rest = total - reserve;
    const limited = Math.min(limit, rest / 3);
    return [limited, reserve, (rest - limited) / 2, (rest - limited) / 2];
  };
  await fight(options, dues, (text) => t.diagnostic(text));
});
