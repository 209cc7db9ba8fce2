import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { identifyProcess } from '../vms/process-identity.ts';
import { ShareBoard } from './share-board.ts';
import { decodeRecord, encodeRecord, type ShareRecord } from './share-record.ts';

const home = mkdtempSync(join(tmpdir(), 'corbel-shares-'));
after(() => rmSync(home, { recursive: true, force: true }));
const nowNs = 1e15;
const started = identifyProcess(process.pid)?.started ?? '';

function record(rest: Partial<ShareRecord> = {}): ShareRecord {
  const asked = { shares: 1024, reserve: 0.25, limit: undefined };
  return { ...asked, pid: process.pid, started, atNs: nowNs, usedNs: 5, demand: 0.5, isEager: true, ...rest };
}

function board(name: string): { own: ShareBoard; folder: string } {
  const folder = join(home, name, 'shares');
  const own = ShareBoard.open(process.pid, folder);
  assert.ok(own.ok);
  return { own: own.value, folder };
}

function secondBoard(folder: string): ShareBoard {
  const other = ShareBoard.open(process.pid, folder);
  assert.ok(other.ok);
  return other.value;
}

test('monitors find what the others tell, and not themselves', () => {
  const { own, folder } = board('meet');
  const other = secondBoard(folder);
  own.publish(record());
  other.publish(record({ usedNs: 1, limit: 0.5 }));
  other.publish(record({ usedNs: 123_456_789, limit: 0.5 }));
  assert.deepEqual(own.peers(nowNs), [{ key: other.key, record: record({ usedNs: 123_456_789, limit: 0.5 }) }]);
  other.close();
  assert.deepEqual(own.peers(nowNs), []);
  own.close();
  assert.deepEqual(readdirSync(folder), []);
});

test('what has told nothing for long does not count, but stays while its process lives', () => {
  const { own, folder } = board('silent');
  const other = secondBoard(folder);
  other.publish(record());
  assert.deepEqual(own.peers(nowNs + 3e9), []);
  assert.deepEqual(own.peers(nowNs - 3e9), []);
  assert.deepEqual(readdirSync(folder), [other.key]);
  other.publish(record({ atNs: nowNs + 3e9 }));
  assert.equal(own.peers(nowNs + 3e9).length, 1);
});

test('the file of a process that has died is removed', async () => {
  const { own, folder } = board('dead');
  const child = spawn(process.execPath, ['-e', '']);
  const identity = identifyProcess(child.pid ?? 0);
  await once(child, 'exit');
  const text = encodeRecord(record({ pid: child.pid ?? 0, started: identity?.started ?? '' }), 1);
  writeFileSync(join(folder, `${child.pid}-00000000`), text);
  assert.equal(own.peers(nowNs + 0.2e9).length, 1);
  // Long before its record is stale, so that nobody makes way for it.
  assert.deepEqual(own.peers(nowNs + 0.5e9), []);
  assert.deepEqual(own.peers(nowNs + 3e9), []);
  assert.deepEqual(readdirSync(folder), []);
});

test('one that is silent for a while counts as long as its process lives', () => {
  const { own, folder } = board('slow');
  secondBoard(folder).publish(record());
  assert.equal(own.peers(nowNs + 1.5e9).length, 1);
});

test('a file that somebody has removed is made again', () => {
  const { own, folder } = board('again');
  own.publish(record());
  rmSync(join(folder, own.key));
  own.publish(record());
  own.publish(record());
  assert.deepEqual(readdirSync(folder), [own.key]);
});

test('garbage, folders, links and pipes in the folder are passed over', () => {
  const { own, folder } = board('garbage');
  const other = secondBoard(folder);
  other.publish(record());
  let number = 100;
  const path = (): string => join(folder, `${number++}-0123abcd`);
  for (const text of ['', '{', 'null', '[]', '"x"', '\0'.repeat(10_000), encodeRecord(record(), 1).slice(0, 90)]) {
    writeFileSync(path(), text);
  }
  writeFileSync(join(folder, 'notes.txt'), encodeRecord(record(), 1));
  mkdirSync(path());
  symlinkSync('/dev/zero', path());
  symlinkSync(join(folder, other.key), path());
  assert.equal(spawnSync('mkfifo', [path()]).status, 0);
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(
      own.peers(nowNs).map(({ key }) => key),
      [other.key],
    );
  }
});

test('a record with a field that cannot be is none', () => {
  const good = JSON.parse(encodeRecord(record(), 7)) as Record<string, unknown>;
  assert.deepEqual(decodeRecord(JSON.stringify(good)), record());
  const wrong: readonly Record<string, unknown>[] = [
    ...[{ version: 2 }, { end: 8 }, { pid: 0 }, { pid: '1' }, { started: 5 }, { started: 'x'.repeat(1000) }],
    ...[{ atNs: -1 }, { atNs: null }, { usedNs: 1e300 }, { demand: -0.5 }, { demand: 1e9 }, { demand: 'NaN' }],
    ...[{ isEager: undefined }, { isEager: 1 }],
    ...[{ shares: 0 }, { shares: 1 }, { shares: 1e12 }, { reserve: -1 }, { reserve: [] }, { limit: -1 }, { limit: '' }],
  ];
  for (const fields of wrong) {
    assert.equal(decodeRecord(JSON.stringify({ ...good, ...fields })), undefined, JSON.stringify(fields));
  }
});

test('a folder that others can enter is refused', () => {
  const folder = join(home, 'open', 'shares');
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const opened = ShareBoard.open(process.pid, folder);
  assert.ok(!opened.ok);
  assert.match(opened.error.message, /open to others/);
});
