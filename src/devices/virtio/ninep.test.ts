/** The 9P device as Linux's driver uses it, with the real server behind it or one that a test controls. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NinepServer, VirtioNinep } from './ninep.ts';
import { TestMachine, turn } from './testing/test-machine.ts';

/** Answers with what was asked, in upper case, when it is told to. */
class TestServer implements NinepServer {
  readonly asked: { request: Uint8Array; room: number; answer: (reply: Uint8Array) => void }[] = [];
  resets = 0;

  handle(request: Uint8Array, room: number): Promise<Uint8Array> {
    return new Promise((answer) => void this.asked.push({ request, room, answer }));
  }

  async reset(): Promise<void> {
    this.resets++;
  }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (from: Uint8Array): string => new TextDecoder().decode(from);

function machineWith(servers: TestServer[]) {
  const open = (): NinepServer => {
    const server = new TestServer();
    servers.push(server);
    return server;
  };
  return new TestMachine(new VirtioNinep({ tag: 'shared', open }));
}

test('the tag is in the configuration, with its length', () => {
  const { description } = machineWith([]).device;
  assert.equal(description.features, 1n);
  assert.deepEqual([...description.config], [6, 0, ...bytes('shared')]);
});

test('requests and replies over scattered buffers, out of order', async () => {
  const servers: TestServer[] = [];
  const machine = machineWith(servers);
  const [queue] = await machine.bringUp(1n);
  assert.ok(queue);
  const first = queue.add([bytes('first '), bytes('request')], [3, 50]);
  const second = queue.add([bytes('second')], [20]);
  queue.ring();
  await machine.until(() => servers[0]?.asked.length === 2, 'requests');
  const [one, two] = servers[0]?.asked ?? [];
  assert.ok(one && two);
  assert.deepEqual([text(one.request), one.room, text(two.request), two.room], ['first request', 53, 'second', 20]);
  two.answer(bytes('second reply'));
  assert.deepEqual(await queue.next(), { head: second.head, written: 12 });
  one.answer(bytes('first reply'));
  assert.deepEqual(await queue.next(), { head: first.head, written: 11 });
  assert.equal(text(machine.memory.read(first.writable[0] as number, 3)), 'fir');
  assert.equal(text(machine.memory.read(first.writable[1] as number, 8)), 'st reply');
});

test('no room for a reply: the chain comes back unanswered', async () => {
  const servers: TestServer[] = [];
  const [queue] = await machineWith(servers).bringUp(1n);
  assert.equal((await queue?.exchange([bytes('request')], [10]))?.written, 0);
  assert.equal((await queue?.exchange([bytes('request')], []))?.written, 0);
  assert.equal(servers[0]?.asked.length, 0);
});

test('a request is looked at as far as one can be long', async () => {
  const servers: TestServer[] = [];
  const machine = machineWith(servers);
  const [queue] = await machine.bringUp(1n);
  queue?.add([new Uint8Array(1_100_000)], [11]);
  queue?.ring();
  await machine.until(() => servers[0]?.asked.length === 1, 'the request');
  assert.equal(servers[0]?.asked[0]?.request.length, (1 << 20) + 1);
});

test('only so many bytes of requests are taken at a time', async () => {
  const servers: TestServer[] = [];
  const machine = machineWith(servers);
  const [queue] = await machine.bringUp(1n);
  assert.ok(queue);
  const address = machine.allocate(1 << 20);
  const reply = machine.allocate(4096);
  for (let n = 0; n < 12; n++) {
    queue.writeDescriptor(queue.descriptors, 2 * n, { address, length: 1 << 20, flags: 1, next: 2 * n + 1 });
    queue.writeDescriptor(queue.descriptors, 2 * n + 1, { address: reply, length: 11, flags: 2 });
    queue.offer(2 * n);
  }
  queue.ring();
  await machine.until(() => (servers[0]?.asked.length ?? 0) >= 8, 'requests');
  await turn();
  assert.equal(servers[0]?.asked.length, 8);
  servers[0]?.asked[3]?.answer(bytes('hello world'));
  await machine.until(() => servers[0]?.asked.length === 9, 'the next request');
});

test('a reset ends the session; a reply that comes later goes nowhere', async () => {
  const servers: TestServer[] = [];
  const machine = machineWith(servers);
  const [queue] = await machine.bringUp(1n);
  const sent = queue?.add([bytes('request')], [20]);
  queue?.ring();
  await machine.until(() => servers[0]?.asked.length === 1, 'the request');
  machine.status = 0;
  await machine.until(() => machine.status === 0, 'the reset');
  assert.equal(servers[0]?.resets, 1);
  servers[0]?.asked[0]?.answer(bytes('late'));
  await turn();
  assert.deepEqual([...machine.memory.read(sent?.writable[0] as number, 4)], [0, 0, 0, 0]);
  await machine.bringUp(1n);
  assert.equal(servers.length, 2);
});
