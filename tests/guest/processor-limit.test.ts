/** `--cpu-limit` on the real machine. A busy host gives a guest less than its limit, so only more than that is a mistake. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startBusyGuest, usedCores } from './busy-guests.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-limit-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const limit = 0.2;
/** What was used before the guest ran counts, too, and is paid back. */
const settleMs = 3000;
const measuredSeconds = 4;

test('a guest with a limit uses no more of the processors than that', { timeout: 300_000 }, async (t) => {
  const guest = await startBusyGuest(folder, ['--cpu-limit', '20%']);
  await delay(settleMs);
  const [cores = 0] = await usedCores([guest], measuredSeconds);
  const { stderr } = await guest.end();
  t.diagnostic(`${cores.toFixed(3)} cores of ${limit}`);
  assert.ok(cores > 0 && cores < limit * 1.25, `it used ${cores} cores`);
  assert.equal((JSON.parse(stderr) as Record<string, number>).cpuLimit, limit);
});
