/** The linux guest's userland does what the command line promises, on a machine that is known to work. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { provideLinuxPackages } from '../../src/host/node/guest/linux-packages.ts';
import type { Session } from '../../src/host/node/guest/linux-userland.ts';
import { type QemuGuest, startQemuGuest } from './qemu-guest.ts';

const options = { timeout: 60_000 };
const nothing = new Uint8Array(0);

async function withGuest(session: Session, input: Uint8Array, use: (guest: QemuGuest) => Promise<void>): Promise<void> {
  const guest = await startQemuGuest(session, input);
  try {
    await use(guest);
  } finally {
    guest.kill();
  }
}

test('a command: output and errors apart, its status, a power-off', options, async () => {
  const command = 'echo out; echo err >&2; exit 3';
  await withGuest({ kind: 'command', command }, nothing, async (guest) => {
    assert.equal(await guest.ended, 0);
    assert.equal(guest.stdout().toString(), 'out\n');
    assert.equal(guest.stderr().toString(), 'err\n');
    assert.equal(guest.status(), 3);
  });
});

test('a command: binary output comes through byte for byte', options, async () => {
  const packages = await provideLinuxPackages(() => {});
  assert.ok(packages.ok);
  await withGuest({ kind: 'command', command: 'cat /bin/busybox' }, nothing, async (guest) => {
    await guest.ended;
    assert.equal(guest.status(), 0);
    assert.ok(guest.stdout().equals(packages.value.busybox));
  });
});

test('a command: standard input comes through byte for byte, and its end is seen', options, async () => {
  const input = randomBytes(50_000);
  await withGuest({ kind: 'command', command: 'cat; echo end >&2' }, input, async (guest) => {
    await guest.ended;
    assert.equal(guest.stderr().toString(), 'end\n');
    assert.ok(guest.stdout().equals(input));
  });
});

test(
  'a command: killed by a signal it ends with 128 and its number; what it left running does not hold it',
  options,
  async () => {
    const command = 'sleep 1000 & echo started; kill -TERM $$';
    await withGuest({ kind: 'command', command }, nothing, async (guest) => {
      assert.equal(await guest.ended, 0);
      assert.equal(guest.stdout().toString(), 'started\n');
      assert.equal(guest.status(), 128 + 15);
    });
  },
);

test(
  'lines: a shell runs them, more than a terminal buffers, and the guest powers off at their end',
  options,
  async () => {
    const filler = `: ${'x'.repeat(100)}\n`.repeat(1000);
    const input = Buffer.from(`echo first-$((6*7))\n${filler}word=words\necho "last: some $word"\n`);
    await withGuest({ kind: 'lines' }, input, async (guest) => {
      assert.equal(await guest.ended, 0);
      assert.match(guest.console(), /first-42/);
      assert.match(guest.console(), /last: some words/);
    });
  },
);

test('lines: none at all, and a poweroff among them', options, async () => {
  await withGuest({ kind: 'lines' }, nothing, async (guest) => {
    assert.equal(await guest.ended, 0);
  });
  await withGuest({ kind: 'lines' }, Buffer.from('poweroff\nsleep 100\n'), async (guest) => {
    assert.equal(await guest.ended, 0);
    assert.match(guest.console(), /Power down/);
  });
});

test('interactive: editing, Ctrl-C, job control, window size, poweroff', options, async () => {
  const session = { kind: 'interactive', device: 'ttyS0', terminal: 'xterm', rows: 33, columns: 99 } as const;
  await withGuest(session, nothing, async (guest) => {
    await guest.ready;
    await guest.shows(/# /);
    const say = async (keys: string, answer: RegExp): Promise<void> => {
      const from = guest.console().length;
      guest.type(keys);
      await guest.shows(answer, from);
    };
    // Backspace and the up arrow edit the line.
    await say('echo wrongx\x7f\x7f\x7f\x7f\x7f\x7fright-$((2+3))\r', /\nright-5\r\n/);
    await say('\x1b[A\r', /\nright-5\r\n/);
    await say('stty size; echo $TERM\r', /\n33 99\r\nxterm\r\n/);
    // A signal by key ends the foreground program alone.
    await say("sh -c 'echo go; exec sleep 1000'\r", /\ngo\r\n/);
    await say('\x03', /# /);
    await say('echo status-$?\r', /status-130/);
    await say("sh -c 'echo go; exec sleep 1000'\r", /\ngo\r\n/);
    await say('\x1a', /Stopped/);
    await say('jobs; kill %1\r', /Stopped.*sleep 1000.*# /s);
    guest.resize(50, 120);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await say('stty size\r', /\n50 120\r\n/);
    guest.type('poweroff\r');
    assert.equal(await guest.ended, 0);
    assert.equal(guest.goingDown(), true);
    assert.match(guest.console(), /Power down/);
  });
});

test('interactive: leaving the shell powers off', options, async () => {
  const session = { kind: 'interactive', device: 'ttyS0', terminal: 'xterm', rows: 24, columns: 80 } as const;
  await withGuest(session, nothing, async (guest) => {
    await guest.ready;
    await guest.shows(/# /);
    guest.type('\x04');
    assert.equal(await guest.ended, 0);
  });
});
