/** What becomes of a machine with several processors when one of them dies, and while it is paused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soloBus } from '../cpu/smp/bus-module.ts';
import { ProcessorBoard } from '../cpu/smp/processor-board.ts';
import { Siblings } from '../cpu/smp/siblings.ts';
import { MmioBus } from '../device-model/mmio.ts';
import { PortBus } from '../device-model/port-io.ts';
import { allocatePageUsers, PageUsers } from '../memory/page-users.ts';
import { createMachine } from './machine.ts';
import { RemoteIo, RemoteIoService } from './remote-io.ts';
import { allocateMachine } from './shared-machine.ts';
import { bareMetal, exit } from './testing/guest.ts';
import { configFor, TestHost } from './testing/host.ts';

const ramBytes = 16 << 20;

function twoProcessors() {
  const shared = allocateMachine(ramBytes, [], [0, 1]);
  assert.ok(shared.ok);
  return { shared: shared.value, board: new ProcessorBoard(shared.value.processorBoard) };
}

test('nobody waits for a processor that has come to a triple fault', () => {
  const { shared, board } = twoProcessors();
  const dying = new Siblings({
    board,
    bus: soloBus,
    processor: 1,
    processors: 2,
    users: new PageUsers(allocatePageUsers(ramBytes), 1),
    kick: () => {},
    cores: 2,
  });
  const dead: number[] = [];
  const service = new RemoteIoService(shared.remoteIo, 2, {
    ports: new PortBus(),
    mmio: new MmioBus(),
    died: (processor) => dead.push(processor),
  });
  const io = new RemoteIo(shared.remoteIo, 1, {
    wake: () => void service.serve(),
    block: (wait) => dying.block(wait),
    ring: () => false,
    stopping: () => false,
  });
  dying.enter();
  dying.leave();
  io.died();
  assert.deepEqual(dead, [1]);
  // Who is busy is waited for by all that need the bus for themselves, and by a pause.
  assert.equal(board.isBusy(1), false);
});

test('what a processor can do itself does not wait for the first one, everything else does', () => {
  const { shared } = twoProcessors();
  const seen: string[] = [];
  const mmio = new MmioBus();
  mmio.map(0x2000, 0x1000, {
    readMmio: () => 7,
    writeMmio: (address, size, value) => void seen.push(`${address.toString(16)} ${size} ${value}`),
  });
  const service = new RemoteIoService(shared.remoteIo, 2, { ports: new PortBus(), mmio, died: () => {} });
  const rung: number[] = [];
  const io = new RemoteIo(shared.remoteIo, 1, {
    wake: () => void service.serve(),
    block: (wait) => wait(),
    ring: (address) => address === 0x2004 && rung.push(address) > 0,
    stopping: () => false,
  });
  io.mmio.write(0x2004, 2, 1);
  io.mmio.write(0x2008, 4, 5);
  assert.equal(io.mmio.read(0x2004, 4), 7);
  assert.deepEqual([rung, seen], [[0x2004], ['8 4 5']]);
});

test('a pause stops the other processors before time, and time goes on before they do', () => {
  const { shared, board } = twoProcessors();
  /** Who kept the others from running whenever the clock was looked at, from the request on. */
  const looks: number[] = [];
  class WatchingHost extends TestHost {
    #asked = false;
    override pauseRequested(): boolean {
      this.#asked ||= super.pauseRequested();
      return super.pauseRequested();
    }
    override nowNs(): number {
      if (this.#asked) looks.push(board.stoppedBy);
      return super.nowNs();
    }
    override report(event: Parameters<TestHost['report']>[0]): void {
      super.report(event);
      if (event.kind === 'resumed') this.#asked = false;
    }
  }
  const host = new WatchingHost();
  host.pauseNs = 1_000_000_000;
  // A loop of 65,536 rounds, so that there are slices before and after.
  const loop = [0xb9, 0x00, 0x00, 0x01, 0x00, 0x49, 0x75, 0xfd];
  const machine = createMachine(configFor(bareMetal([loop, exit(0)])), shared, host);
  assert.ok(machine.ok);
  assert.deepEqual(machine.value.run(), { kind: 'debug-exit', value: 0 });
  assert.deepEqual(
    host.events.map(({ kind }) => kind),
    ['paused', 'resumed'],
  );
  // Once to stop, once to go on: processor 0 has stopped the others, both times.
  assert.deepEqual(looks, [0, 0]);
  assert.equal(board.stoppedBy, -1);
});
