import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { chooseGuest } from './guest-choice.ts';
import { corbel } from './testing/corbel-process.ts';

function choose(line: string) {
  const words = line.split(' ').filter((word) => word !== '');
  const given = new Map(words.filter((word) => word.startsWith('--')).map((word) => [word.slice(2), []]));
  return chooseGuest(
    words.filter((word) => !word.startsWith('--')),
    given,
  );
}

test('what runs follows from what is given', () => {
  const expected: Record<string, string> = {
    '': 'linux',
    linux: 'linux',
    'linux --kernel': 'linux',
    'linux --disk': 'linux',
    '--exec': 'linux',
    '--exec --disk': 'linux',
    '--append': 'linux',
    '--kernel': 'kernel',
    '--kernel --initrd --disk': 'kernel',
    '--disk': 'disk',
    '--bios': 'disk',
    '--bios --disk': 'disk',
    debian: 'debian',
    'debian --append': 'debian',
    'debian --disk': 'debian',
    'debian --overlay': 'debian',
    'debian --overlay --bios': 'debian',
    'debian --exec': 'debian',
    'debian --overlay --exec --exec-timeout': 'debian',
  };
  for (const [line, guest] of Object.entries(expected))
    assert.deepEqual(choose(line), { ok: true, value: guest }, line);
});

test('what contradicts itself is refused', () => {
  const expected: Record<string, RegExp> = {
    windows: /no guest "windows"/,
    'linux debian': /no guest "debian"/,
    'debian --kernel': /leave --kernel out/,
    '--exec --exec-timeout': /corbel run debian --exec CMD/,
    'debian --exec-timeout': /corbel run debian --exec CMD/,
    'debian --bios': /--overlay FILE/,
    'debian --overlay --append': /leave --append out/,
    'linux --bios': /--bios starts what is on a disk/,
    '--bios --exec': /--bios starts what is on a disk/,
    '--bios --kernel': /leave --kernel out/,
    '--overlay': /corbel run debian --overlay FILE/,
    'linux --overlay': /corbel run debian --overlay FILE/,
    '--initrd': /--initrd needs a kernel/,
    '--initrd --disk': /--initrd needs a kernel/,
  };
  for (const [line, message] of Object.entries(expected)) {
    const choice = choose(line);
    assert.ok(!choice.ok, line);
    assert.equal(choice.error.kind, 'usage');
    assert.match(choice.error.message, message);
  }
});

const folder = mkdtempSync(join(tmpdir(), 'corbel-guest-'));
after(() => rmSync(folder, { recursive: true }));

function firmware(verb: string): string {
  const path = join(folder, verb);
  writeFileSync(path, verb);
  return path;
}

test('--bios hands its file over as firmware, with the disks beside it', async () => {
  const disk = join(folder, 'disk');
  writeFileSync(disk, new Uint8Array(1 << 20));
  const ended = await corbel(['run', '--bios', firmware('config'), '--disk', disk]);
  assert.equal(ended.status, 0, ended.stderr);
  assert.deepEqual(JSON.parse(ended.stdout.toString()).boot, ['kind', 'image']);
});

test('a computer that is reset starts again', { timeout: 60_000 }, async () => {
  const ended = await corbel(['run', '--bios', firmware('reset'), '--timeout', '1.5']);
  assert.deepEqual([ended.status, ended.stderr], [124, 'corbel: the time given with --timeout has passed.\n']);
});

test('firmware that is not there, or empty, is bad input', async () => {
  const missing = await corbel(['run', '--bios', join(folder, 'none')]);
  assert.equal(missing.status, 65);
  assert.match(missing.stderr, /^corbel: the firmware .* cannot be read: there is no such file\.\n$/);
  const empty = join(folder, 'empty');
  writeFileSync(empty, '');
  assert.equal((await corbel(['run', '--bios', empty])).status, 65);
});
