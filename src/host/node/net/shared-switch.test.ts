/** Switches that meet at a socket, in one process: roles, frames, VLANs, ends. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { NetPort } from '../../../net/port.ts';
import { meet } from './meeting-point.ts';
import { SharedSwitch } from './shared-switch.ts';

const folder = await mkdtemp(join(tmpdir(), 'corbel-switch-'));
after(() => rm(folder, { recursive: true }));

const broadcast = [255, 255, 255, 255, 255, 255];
const mac = (n: number): number[] => [2, 0, 0, 0, 0, n];

class Machine {
  readonly shared: SharedSwitch;
  readonly port: NetPort;
  readonly seen: number[][] = [];
  readonly #number: number;

  constructor(shared: SharedSwitch, number: number, vlan: number | undefined) {
    this.shared = shared;
    this.#number = number;
    const port = shared.addPort(vlan === undefined ? { kind: 'trunk' } : { kind: 'access', vlan });
    assert.ok(port.ok);
    this.port = port.value;
    this.port.connect({ send: (frame) => this.seen.push([...frame.subarray(0, 15)]) > 0, resume: () => {} });
  }

  static async start(path: string, number: number, vlan?: number, middle = () => {}): Promise<Machine> {
    const shared = await SharedSwitch.open(path, () => middle);
    assert.ok(shared.ok, shared.ok ? '' : shared.error.message);
    return new Machine(shared.value, number, vlan);
  }

  send(destination: readonly number[], mark: number): void {
    this.port.send(Uint8Array.of(...destination, ...mac(this.#number), 8, 0, mark, ...new Uint8Array(45)));
  }

  marks(): (number | undefined)[] {
    return this.seen.splice(0).map((frame) => frame[14]);
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let patience = 500; !condition(); patience--) {
    assert.ok(patience > 0, `in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('the first is in the middle, the others are told apart, and all reach each other', async () => {
  const path = join(folder, 'three');
  const machines = [await Machine.start(path, 1), await Machine.start(path, 2), await Machine.start(path, 3)];
  const [a, b, c] = machines as [Machine, Machine, Machine];
  assert.deepEqual(
    machines.map(({ shared }) => shared.role),
    ['first', 'later', 'later'],
  );
  b.send(broadcast, 7);
  await until(() => a.seen.length > 0 && c.seen.length > 0, 'a broadcast');
  assert.deepEqual([a.marks(), b.marks(), c.marks()], [[7], [], [7]]);
  c.send(mac(2), 8);
  await until(() => b.seen.length > 0, 'an answer');
  assert.deepEqual([a.marks(), b.marks()], [[], [8]]);
  for (let i = 0; i < 500; i++) b.send(mac(3), i & 0xff);
  await until(() => c.seen.length >= 500, 'five hundred frames');
  assert.deepEqual(
    c.marks(),
    Array.from({ length: 500 }, (_, i) => i & 0xff),
  );
  for (const machine of machines) machine.shared.close();
  assert.equal(existsSync(path), false);
});

test('a VLAN spans machines', async () => {
  const path = join(folder, 'vlans');
  const machines = [
    await Machine.start(path, 1, 10),
    await Machine.start(path, 2, 10),
    await Machine.start(path, 3, 20),
    await Machine.start(path, 4),
  ] as [Machine, Machine, Machine, Machine];
  const [a, b, c, d] = machines;
  b.send(broadcast, 1);
  await until(() => a.seen.length > 0 && d.seen.length > 0, 'a broadcast');
  assert.deepEqual([a.marks(), c.seen, d.seen[0]?.slice(12)], [[1], [], [0x81, 0, 0]]);
  for (const machine of machines) machine.shared.close();
});

test('when the first ends another takes its place, and the rest find it', async () => {
  const path = join(folder, 'heir');
  let left = 0;
  const a = await Machine.start(path, 1, undefined, () => {
    left++;
  });
  const b = await Machine.start(path, 2);
  const c = await Machine.start(path, 3);
  a.shared.close();
  assert.equal(left, 1);
  await until(() => [b, c].some(({ shared }) => shared.role === 'first'), 'a new middle');
  await until(() => [b, c].some(({ shared }) => shared.role === 'later'), 'the other one');
  assert.deepEqual([b.shared.role, c.shared.role].sort(), ['first', 'later']);
  await until(() => {
    b.send(broadcast, 5);
    return c.seen.length > 0;
  }, 'a frame from one to the other');
  b.shared.close();
  c.shared.close();
});

test('ten start at once: one listens', async () => {
  const path = join(folder, 'race');
  const machines = await Promise.all(Array.from({ length: 10 }, (_, n) => Machine.start(path, n)));
  const roles = machines.map(({ shared }) => shared.role);
  assert.equal(roles.filter((role) => role === 'first').length, 1);
  for (const machine of machines) machine.shared.close();
});

test('the socket of a process that died is replaced', async () => {
  const path = join(folder, 'stale');
  // A process that dies leaves its socket behind; this one is left on purpose.
  const child = createServer();
  child.listen(`${path}.dead`);
  await once(child, 'listening');
  const { linkSync } = await import('node:fs');
  linkSync(`${path}.dead`, path);
  child.close();
  await once(child, 'close');
  assert.equal(existsSync(path), true);
  const machines = await Promise.all([Machine.start(path, 1), Machine.start(path, 2)]);
  assert.deepEqual(machines.map(({ shared }) => shared.role).sort(), ['first', 'later']);
  for (const machine of machines) machine.shared.close();
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('stale')),
    [],
  );
});

test('places where no switch can be', async () => {
  const refused = async (path: string): Promise<string> => {
    const met = await meet(path, () => {});
    assert.ok(!met.ok);
    return met.error.message;
  };
  assert.match(await refused(join(folder, 'x'.repeat(120))), /has at most 98 bytes/);
  assert.match(await refused(join(folder, 'no', 'such', 'folder')), /cannot be made \(there is no such folder\)/);
  const file = join(folder, 'file');
  await writeFile(file, 'precious');
  assert.match(await refused(file), /is no socket/);
  assert.equal(existsSync(file), true);
});

test('a peer that does not speak frames is thrown out, and harms nobody', async () => {
  const path = join(folder, 'rude');
  const a = await Machine.start(path, 1);
  const rude = connect(path);
  rude.on('error', () => {});
  rude.write(Buffer.from('GET / HTTP/1.0\r\n\r\n'));
  await once(rude, 'close');
  const b = await Machine.start(path, 2);
  b.send(broadcast, 3);
  await until(() => a.seen.length > 0, 'a frame');
  a.shared.close();
  b.shared.close();
});
