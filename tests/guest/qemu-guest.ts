/** The linux guest on the distribution's QEMU: the same kernel, userland and channel, on a machine that is not ours. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodePowerOff } from '../../src/host/node/guest/guest-channel.ts';
import { GuestSession } from '../../src/host/node/guest/guest-session.ts';
import { provideLinuxPackages } from '../../src/host/node/guest/linux-packages.ts';
import { buildUserland, type Session } from '../../src/host/node/guest/linux-userland.ts';

export interface QemuGuest {
  readonly console: () => string;
  readonly stdout: () => Buffer;
  readonly stderr: () => Buffer;
  readonly status: () => number | undefined;
  readonly goingDown: () => boolean;
  readonly ready: Promise<void>;
  type(text: string): void;
  resize(rows: number, columns: number): void;
  powerOff(): void;
  /** Resolves when the console shows `pattern` after its first `from` characters. */
  shows(pattern: RegExp, from?: number): Promise<void>;
  /** Resolves with QEMU's exit status. */
  readonly ended: Promise<number | null>;
  kill(): void;
}

const patienceMs = 30_000;

interface Wire {
  readonly server: Server;
  readonly socket: Promise<Socket>;
}

function listen(path: string): Wire {
  const server = createServer();
  const socket = new Promise<Socket>((resolve) => {
    server.once('connection', resolve);
  });
  server.listen(path);
  return { server, socket };
}

/** @param input what the guest gets as standard input */
export async function startQemuGuest(session: Session, input: Uint8Array): Promise<QemuGuest> {
  const packages = await provideLinuxPackages(() => {});
  if (!packages.ok) throw new Error(packages.error.message);
  const folder = mkdtempSync(join(tmpdir(), 'corbel-qemu-'));
  writeFileSync(join(folder, 'kernel'), packages.value.kernel);
  writeFileSync(join(folder, 'initrd'), buildUserland({ busybox: packages.value.busybox }, session));
  const wires = ['com1', 'com2'].map((name) => listen(join(folder, name)));
  const qemu: ChildProcess = spawn(
    'qemu-system-x86_64',
    [
      ['-display', 'none', '-no-reboot', '-m', '512', '-kernel', 'kernel', '-initrd', 'initrd'],
      ['-append', 'console=ttyS0,115200 panic=-1', '-serial', 'unix:com1', '-serial', 'unix:com2'],
    ].flat(),
    { cwd: folder, stdio: 'inherit' },
  );
  const ended = new Promise<number | null>((resolve) => {
    qemu.once('exit', (status) => {
      for (const { server } of wires) server.close();
      rmSync(folder, { recursive: true, force: true });
      resolve(status);
    });
  });
  const [com1, com2] = (await Promise.all(wires.map((wire) => wire.socket))) as [Socket, Socket];
  for (const socket of [com1, com2]) socket.on('error', () => {}); // QEMU resets them when it ends.
  return connect(qemu, com1, com2, input, ended);
}

function connect(
  qemu: ChildProcess,
  com1: Socket,
  com2: Socket,
  input: Uint8Array,
  ended: Promise<number | null>,
): QemuGuest {
  const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  let console = '';
  let status: number | undefined;
  let rest = input;
  const ready = Promise.withResolvers<void>();
  const protocol = new GuestSession({
    output: async (stream, bytes) => void output[stream].push(bytes),
    readInput: async (maxBytes) => {
      const piece = rest.subarray(0, maxBytes);
      rest = rest.subarray(piece.length);
      return piece;
    },
    sendToGuest: (bytes) => void com2.write(bytes),
    ready: () => ready.resolve(),
    status: (value) => {
      status = value;
    },
    malformed: (line) => ready.reject(new Error(`malformed frame ${line}`)),
  });
  com1.on('data', (bytes) => {
    console += bytes.toString('latin1');
  });
  com2.on('data', (bytes: Buffer) => void protocol.receive(bytes));
  return {
    console: () => console,
    stdout: () => Buffer.concat(output.stdout),
    stderr: () => Buffer.concat(output.stderr),
    status: () => status,
    goingDown: () => protocol.goingDown,
    ready: ready.promise,
    type: (text) => void com1.write(text),
    resize: (rows, columns) => void com2.write(`${rows} ${columns}\n`),
    powerOff: () => void com2.write(encodePowerOff()),
    shows: async (pattern, from = 0) => {
      const deadline = performance.now() + patienceMs;
      while (!pattern.test(console.slice(from))) {
        assert.ok(performance.now() < deadline, `the console does not show ${pattern}: ${console.slice(-1000)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    ended,
    kill: () => void qemu.kill('SIGKILL'),
  };
}
