import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { withFolderLock } from './folder-lock.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-lock-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const lockModule = new URL('./folder-lock.ts', import.meta.url).href;

test('one at a time, also in one process, and the next when one fails', async () => {
  const events: string[] = [];
  const enter = (name: string): Promise<void> =>
    withFolderLock(folder, async () => {
      events.push(`${name} in`);
      await delay(50);
      events.push(`${name} out`);
      if (name === 'a') throw new Error('on purpose');
    });
  const ended = await Promise.allSettled([enter('a'), enter('b'), enter('c')]);
  assert.deepEqual(
    ended.map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled'],
  );
  assert.equal(events.length, 6);
  for (let n = 0; n < 6; n += 2) assert.equal(events[n]?.replace('in', 'out'), events[n + 1]);
});

test('a process that is killed in the middle of its work leaves the folder free', { timeout: 60_000 }, async () => {
  const program = `import { withFolderLock } from ${JSON.stringify(lockModule)};
await withFolderLock(${JSON.stringify(folder)}, async () => {
  console.log('in');
  await new Promise(() => setInterval(() => {}, 1000));
});`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  let entered = false;
  const waiting = withFolderLock(folder, async () => {
    entered = true;
  });
  await delay(500);
  assert.equal(entered, false);
  child.kill('SIGKILL');
  await waiting;
  assert.equal(entered, true);
});

test('a folder that is not there is an error at once', async () => {
  await assert.rejects(withFolderLock(join(folder, 'nowhere'), async () => {}));
});
