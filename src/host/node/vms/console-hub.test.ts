import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConsoleHub } from './console-hub.ts';
import { ConsoleLog } from './console-log.ts';
import { useVmHome } from './testing/vm-home.ts';

const home = useVmHome();
const patience = { timeout: 60_000 };

interface Fixture {
  readonly hub: ConsoleHub;
  readonly typed: string[];
  readonly log: string;
  attach(): Promise<Viewer>;
}

interface Viewer {
  readonly socket: Socket;
  screen(): string;
  /** Resolves when the screen shows that. */
  shows(text: string): Promise<void>;
}

async function withHub(
  name: string,
  use: (fixture: Fixture) => Promise<void>,
  type?: () => Promise<void>,
): Promise<void> {
  mkdirSync(home, { recursive: true });
  const log = join(home, `${name}.log`);
  const typed: string[] = [];
  const hub = new ConsoleHub(new ConsoleLog(log), async (bytes) => {
    typed.push(Buffer.from(bytes).toString());
    await type?.();
  });
  const path = join(home, `${name}.sock`);
  assert.ok((await hub.listen(path)).ok);
  await use({ hub, typed, log, attach: () => attach(path) });
  await hub.close();
}

async function attach(path: string): Promise<Viewer> {
  const socket = createConnection(path);
  let screen = '';
  let check = (): void => {};
  socket.on('data', (bytes) => {
    screen += bytes.toString('latin1');
    check();
  });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return {
    socket,
    screen: () => screen,
    shows: (text) =>
      new Promise((resolve) => {
        check = () => {
          if (screen.includes(text)) resolve();
        };
        check();
      }),
  };
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('each viewer sees all from the last lines on, and so does the log', patience, async () => {
  await withHub('several', async ({ hub, attach, log }) => {
    await hub.write(bytes('before\n'));
    const first = await attach();
    await first.shows('before\n');
    await hub.write(bytes('middle\n'));
    const second = await attach();
    await second.shows('before\nmiddle\n');
    await hub.write(bytes('after\n'));
    for (const viewer of [first, second]) {
      await viewer.shows('after\n');
      assert.equal(viewer.screen(), 'before\nmiddle\nafter\n');
    }
    assert.equal(readFileSync(log, 'utf8'), 'before\nmiddle\nafter\n');
  });
});

test('what any of them types reaches the guest, and one that leaves is no matter', patience, async () => {
  await withHub('typing', async ({ hub, attach, typed }) => {
    const [first, second] = [await attach(), await attach()];
    first.socket.write('one');
    while (typed.join('') !== 'one') await new Promise((resolve) => setTimeout(resolve, 10));
    first.socket.destroy();
    second.socket.write('two');
    while (typed.join('') !== 'onetwo') await new Promise((resolve) => setTimeout(resolve, 10));
    await hub.write(bytes('still here'));
    await second.shows('still here');
  });
});

test('a viewer that does not read holds nobody up, and learns what it missed', patience, async () => {
  await withHub('slow', async ({ hub, attach }) => {
    const [slow, quick] = [await attach(), await attach()];
    slow.socket.pause();
    const piece = bytes('0123456789abcdef'.repeat(4096));
    for (let i = 0; i < 200; i++) {
      await hub.write(piece);
      // The other one is given the time to read all.
      while (quick.screen().length < (i + 1) * piece.length) await once(quick.socket, 'data');
    }
    slow.socket.resume();
    await slow.shows('bytes of the console were left out]\r\n');
    const [, missed] = /\[(\d+) bytes/.exec(slow.screen()) ?? [];
    const [seen] = slow.screen().split('\r\n[');
    assert.equal((seen as string).length + Number(missed), 200 * piece.length);
    await hub.write(bytes('and on\n'));
    await slow.shows('and on\n');
  });
});

test('who types more than the guest takes has to wait', patience, async () => {
  let takes = (): void => {};
  const type = (): Promise<void> =>
    new Promise((resolve) => {
      takes = resolve;
    });
  await withHub(
    'paste',
    async ({ attach, typed }) => {
      const viewer = await attach();
      const paste = 'x'.repeat(8 << 20);
      const sent = new Promise((resolve) => viewer.socket.write(paste, resolve));
      while (typed.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal(typed.length, 1, 'the guest has not taken the first piece');
      const taking = setInterval(() => takes(), 0);
      await sent;
      while (typed.join('').length < paste.length) await new Promise((resolve) => setTimeout(resolve, 10));
      clearInterval(taking);
    },
    type,
  );
});

test('the end of the console is the end of each connection, after the last words', patience, async () => {
  await withHub('end', async ({ hub, attach }) => {
    const viewers = [await attach(), await attach()];
    const deaf = await attach();
    deaf.socket.pause();
    const closed = viewers.map(({ socket }) => once(socket, 'close'));
    await hub.write(bytes('Power down'));
    await hub.close();
    await Promise.all(closed);
    for (const viewer of viewers) assert.equal(viewer.screen(), 'Power down');
  });
});
