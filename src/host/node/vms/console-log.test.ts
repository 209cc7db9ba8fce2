import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConsoleLog, consoleLogFile, previousLogFile } from './console-log.ts';
import { readConsoleLog } from './console-log-reader.ts';
import { useVmHome } from './testing/vm-home.ts';

const home = useVmHome();
const maxBytes = 1000;

function folder(name: string): string {
  const path = join(home, name);
  mkdirSync(path);
  return path;
}

async function readAll(stateFolder: string): Promise<string> {
  let text = '';
  await readConsoleLog({
    stateFolder,
    isOver: () => true,
    write: async (bytes) => {
      text += Buffer.from(bytes).toString();
      return true;
    },
  });
  return text;
}

test('the log is bounded, keeps the end, and is read in order', async () => {
  const state = folder('bounded');
  const log = new ConsoleLog(consoleLogFile(state), maxBytes);
  let all = '';
  for (let i = 0; i < 1000; i++) {
    const line = `line ${i}\n`;
    log.write(Buffer.from(line));
    all += line;
  }
  log.close();
  const path = consoleLogFile(state);
  for (const file of [path, previousLogFile(path)]) assert.ok(statSync(file).size <= maxBytes);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const text = await readAll(state);
  assert.ok(text.length > maxBytes && all.endsWith(text));
});

test('a piece larger than the log leaves its end', async () => {
  const state = folder('large');
  const log = new ConsoleLog(consoleLogFile(state), maxBytes);
  const piece = Array.from({ length: 2000 }, (_, i) => `${i}\n`).join('');
  log.write(Buffer.from(piece));
  log.close();
  assert.ok(piece.endsWith(await readAll(state)));
  assert.ok(statSync(consoleLogFile(state)).size <= maxBytes);
});

test('a follower gets all of a log that grows and begins anew', async () => {
  const state = folder('followed');
  const log = new ConsoleLog(consoleLogFile(state), maxBytes);
  let over = false;
  let followed = '';
  const reading = readConsoleLog({
    stateFolder: state,
    isOver: () => over,
    write: async (bytes) => {
      followed += Buffer.from(bytes).toString();
      return true;
    },
  });
  let all = '';
  for (let i = 0; i < 12; i++) {
    const piece = `${i}`.padStart(400, '.');
    log.write(Buffer.from(piece));
    all += piece;
    // The log holds four pieces or five: so far behind nothing is lost.
    while (all.length - followed.length > 3 * 400) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  log.close();
  over = true;
  await reading;
  assert.equal(followed, all);
});

test('a reader that has enough ends it; no log is an empty one', async () => {
  const state = folder('enough');
  assert.equal(await readAll(state), '');
  writeFileSync(consoleLogFile(state), 'x'.repeat(1 << 20));
  let pieces = 0;
  await readConsoleLog({ stateFolder: state, isOver: () => false, write: async () => ++pieces < 3 });
  assert.equal(pieces, 3);
});

test('what cannot be written is left out, and nothing is thrown', () => {
  const state = folder('gone');
  const log = new ConsoleLog(join(state, 'no', 'log'), maxBytes);
  log.write(Buffer.from('lost'));
  mkdirSync(join(state, 'no'));
  log.write(Buffer.from('kept'));
  assert.equal(readFileSync(join(state, 'no', 'log'), 'utf8'), 'kept');
  rmSync(join(state, 'no'), { recursive: true });
  log.write(Buffer.alloc(maxBytes));
  log.close();
});
