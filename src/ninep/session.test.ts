/** What a session does whatever it is sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linuxErrno } from '../spec/linux-errno.ts';
import { ninepMessages, ninepNoFid, ninepNoTag } from '../spec/ninep.ts';
import { ok } from '../support/result.ts';
import { type Attributes, type FileNode, type FileTree, type Outcome, refuse } from './file-tree.ts';
import { decodeHeader, encodeMessage, type Layout, type Operation, type ValuesOf } from './message.ts';
import { NinepSession } from './session.ts';
import { decodeReply, encodeRequest, NinepClient } from './testing/client.ts';

const attributes: Attributes = {
  device: 1n,
  inode: 2n,
  kind: 'directory',
  mode: 0o40755,
  uid: 0,
  gid: 0,
  links: 1n,
  deviceNumber: 0n,
  sizeBytes: 0n,
  blockBytes: 512n,
  blocks: 0n,
  accessTimeNs: 0n,
  modifyTimeNs: -1n,
  changeTimeNs: 0n,
  birthTimeNs: 0n,
};

/** One directory that contains itself under every name. Calls of `attributes` wait while the gate is closed. */
class HallOfMirrors {
  readonly node: FileNode = { kind: 'directory' };
  holds = 0;
  calls = 0;
  gate: Promise<void> = Promise.resolve();
  readonly tree: FileTree;

  constructor() {
    const found = async () => {
      this.holds++;
      return ok({ node: this.node, attributes });
    };
    const refused = async (): Promise<Outcome<never>> => refuse(linuxErrno.EPERM);
    this.tree = {
      root: found,
      lookup: found,
      parent: () => {
        this.holds++;
        return this.node;
      },
      place: () => undefined,
      retain: () => {
        this.holds++;
      },
      release: () => {
        this.holds--;
      },
      attributes: async () => {
        this.calls++;
        await this.gate;
        return ok(attributes);
      },
      readLink: refused,
      change: refused,
      capacity: refused,
      open: refused,
      openDirectory: refused,
      create: refused,
      makeDirectory: refused,
      makeSymlink: refused,
      link: refused,
      rename: refused,
      remove: refused,
    };
  }
}

async function session() {
  const mirrors = new HallOfMirrors();
  const ninep = new NinepSession(mirrors.tree, { readOnly: false, rootOwned: false });
  const client = new NinepClient(ninep);
  await client.begin();
  return { mirrors, ninep, client };
}

function errnoOf(reply: Uint8Array): number {
  assert.equal(decodeHeader(reply)?.type, 7);
  return new DataView(reply.buffer, reply.byteOffset).getUint32(7, true);
}

test('version: the smaller msize, an unknown version, none at all', async () => {
  const ninep = new NinepSession(new HallOfMirrors().tree, { readOnly: false, rootOwned: false });
  const client = new NinepClient(ninep);
  assert.equal(await client.error('attach', attach(0)), linuxErrno.EINVAL);
  const version = (msize: number, name = '9P2000.L') => client.call('version', { msize, version: name }, ninepNoTag);
  assert.deepEqual(await version(512_000), ok({ msize: 512_000, version: '9P2000.L' }));
  assert.deepEqual(await version(0xffff_ffff), ok({ msize: 1 << 20, version: '9P2000.L' }));
  assert.deepEqual(await version(100), { ok: false, error: linuxErrno.EMSGSIZE });
  assert.deepEqual(await version(8192, '9P2000.u'), ok({ msize: 8192, version: 'unknown' }));
  assert.equal(await client.error('attach', attach(0)), linuxErrno.EINVAL);
});

const attach = (fid: number) => ({ fid, authFid: ninepNoFid, userName: 'u', treeName: '', userId: 0 });

test('another version takes all fids back', async () => {
  const { mirrors, client } = await session();
  for (let fid = 1; fid < 100; fid++) await client.walk(fid, 'a/b');
  assert.equal(mirrors.holds, 100);
  await client.call('version', { msize: 8192, version: '9P2000.L' });
  assert.equal(mirrors.holds, 0);
  assert.equal(await client.error('getattr', { fid: 1, mask: 0n }), linuxErrno.EBADF);
});

test('fids: taken, unknown, replaced', async () => {
  const { mirrors, client } = await session();
  assert.equal(await client.error('attach', attach(0)), linuxErrno.EINVAL);
  await client.walk(1);
  assert.equal(await client.error('walk', { fid: 0, newFid: 1, names: [] }), linuxErrno.EINVAL);
  assert.equal(await client.error('walk', { fid: 9, newFid: 2, names: [] }), linuxErrno.EBADF);
  await client.expect('walk', { fid: 1, newFid: 1, names: ['a'] });
  assert.equal(mirrors.holds, 2);
});

test('messages that are cut short, too long, unknown or lie about themselves are errors', async () => {
  const { client } = await session();
  assert.equal(errnoOf(await client.send(new Uint8Array(0))), linuxErrno.EINVAL);
  assert.equal(errnoOf(await client.send(new Uint8Array(6))), linuxErrno.EINVAL);
  for (const type of [0, 6, 7, 9, 106, 112, 255]) {
    const reply = await client.send(encodeMessage(type, 5, {}, {}));
    assert.equal(errnoOf(reply), linuxErrno.EOPNOTSUPP);
    assert.equal(decodeHeader(reply)?.tag, 5);
  }
  for (const operation of Object.keys(ninepMessages) as Operation[]) {
    const { type, request } = ninepMessages[operation];
    const whole = encodeMessage<Layout>(type, 3, request, rubbish(request));
    if (whole.length === 7) continue;
    const short = whole.slice(0, -1);
    const long = new Uint8Array([...whole, 0]);
    assert.equal(errnoOf(await client.send(short)), linuxErrno.EINVAL, `${operation}: the size is wrong`);
    for (const message of [short, long]) {
      new DataView(message.buffer).setUint32(0, message.length, true);
      assert.equal(errnoOf(await client.send(message)), linuxErrno.EINVAL, operation);
    }
  }
  const large = encodeRequest('write', 1, { fid: 0, offset: 0n, data: new Uint8Array(200_000) });
  assert.equal(errnoOf(await client.send(large)), linuxErrno.EMSGSIZE);
  const counts = encodeRequest('write', 1, { fid: 0, offset: 0n, data: new Uint8Array(4) });
  new DataView(counts.buffer).setUint32(19, 0xffff_ffff, true);
  assert.equal(errnoOf(await client.send(counts)), linuxErrno.EINVAL);
  const names = encodeRequest('walk', 1, { fid: 0, newFid: 1, names: [] });
  new DataView(names.buffer).setUint16(15, 0xffff, true);
  assert.equal(errnoOf(await client.send(names)), linuxErrno.EINVAL);
  const seventeen = encodeRequest('walk', 1, { fid: 0, newFid: 1, names: Array(17).fill('a') });
  assert.equal(errnoOf(await client.send(seventeen)), linuxErrno.EINVAL);
});

function rubbish(layout: Layout): ValuesOf<Layout> {
  const values = { u8: 0, u16: 0, u32: 0, u64: 0n, string: '', strings: [], data: new Uint8Array(0) };
  return Object.fromEntries(
    Object.entries(layout).map(([name, kind]) => [name, values[kind as keyof typeof values]]),
  ) as ValuesOf<Layout>;
}

test('random messages always get a reply', async () => {
  const { client } = await session();
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  const types = Object.values(ninepMessages).map(({ type }) => type);
  for (let i = 0; i < 20_000; i++) {
    const message = Uint8Array.from({ length: 7 + random(60) }, () => (random(3) === 0 ? random(256) : 0));
    const view = new DataView(message.buffer);
    view.setUint32(0, message.length, true);
    message[4] = types[random(types.length)] as number;
    const reply = await client.send(message, 4096);
    const header = decodeHeader(reply);
    assert.equal(header?.sizeBytes, reply.length);
    assert.equal(header?.tag, view.getUint16(5, true));
    assert.ok(reply.length <= 4096);
    if (i % 100 === 0) await client.call('version', { msize: 8192, version: '9P2000.L' });
  }
});

test('a reply that does not fit is an error', async () => {
  const { client } = await session();
  const request = encodeRequest('getattr', 9, { fid: 0, mask: 0n });
  assert.equal(errnoOf(await client.send(request, 159)), linuxErrno.EMSGSIZE);
  assert.ok(decodeReply('getattr', 9, await client.send(request, 160)).ok);
});

test('flush: what waits is refused, what is under way ends first, and Rflush is last', async () => {
  const { mirrors, client } = await session();
  const gate = Promise.withResolvers<void>();
  mirrors.gate = gate.promise;
  const order: string[] = [];
  const send = async (name: string, message: Uint8Array) => {
    const reply = await client.send(message);
    order.push(`${name} ${decodeHeader(reply)?.type === 7 ? errnoOf(reply) : 'done'}`);
  };
  const sent: Promise<void>[] = [];
  for (let tag = 1; tag <= 33; tag++) {
    sent.push(send(`request ${tag}`, encodeRequest('getattr', tag, { fid: 0, mask: 0n })));
  }
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(mirrors.calls, 32, 'the last one waits for its turn');
  sent.push(send('same tag', encodeRequest('getattr', 1, { fid: 0, mask: 0n })));
  sent.push(send('flush of 33', encodeRequest('flush', 100, { oldTag: 33 })));
  sent.push(send('flush of nothing', encodeRequest('flush', 101, { oldTag: 77 })));
  sent.push(send('flush of 2', encodeRequest('flush', 102, { oldTag: 2 })));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(order.toSorted(), [
    'flush of 33 done',
    'flush of nothing done',
    `request 33 ${linuxErrno.EINTR}`,
    `same tag ${linuxErrno.EINVAL}`,
  ]);
  assert.ok(order.indexOf(`request 33 ${linuxErrno.EINTR}`) < order.indexOf('flush of 33 done'));
  gate.resolve();
  await Promise.all(sent);
  assert.equal(mirrors.calls, 32, 'the flushed request was never begun');
  assert.ok(order.indexOf('request 2 done') < order.indexOf('flush of 2 done'));
  assert.ok((await client.call('getattr', { fid: 0, mask: 0n })).ok, 'turns are handed on');
});

test('a clunk under way of a request waits for it; a reset does too', async () => {
  const { mirrors, ninep, client } = await session();
  await client.walk(1);
  const gate = Promise.withResolvers<void>();
  mirrors.gate = gate.promise;
  const asked = client.call('getattr', { fid: 1, mask: 0n });
  const clunked = client.call('clunk', { fid: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await client.error('getattr', { fid: 1, mask: 0n }), linuxErrno.EBADF);
  assert.equal(mirrors.holds, 2);
  const reset = ninep.reset();
  gate.resolve();
  assert.ok((await asked).ok);
  assert.deepEqual(await clunked, ok({}));
  await reset;
  assert.equal(mirrors.holds, 0);
});

test('times before 1970 have whole seconds below and nanoseconds above', async () => {
  const { client } = await session();
  const reply = await client.expect('getattr', { fid: 0, mask: 0n });
  assert.deepEqual([reply.modifySeconds, reply.modifyNanoseconds], [2n ** 64n - 1n, 999_999_999n]);
});
