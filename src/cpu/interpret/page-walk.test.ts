/** Page walks, and accesses that two pages share, in WebAssembly against those in TypeScript: the same tables, the same accesses, two machines. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GuestMemory } from '../../memory/guest-memory.ts';
import { allocatePageUsers, PageUsers } from '../../memory/page-users.ts';
import { pte } from '../../spec/x86/paging.ts';
import { eflags } from '../../spec/x86/registers.ts';
import { Random } from '../../support/testing/seeded-random.ts';
import { webAssembly } from '../../wasm/webassembly.ts';
import { Mmu } from '../mmu/mmu.ts';
import { soloBus } from '../smp/bus-module.ts';
import { engine, fillLog, state, tlb, tlbContext } from '../state/layout.ts';
import { createVcpuMemory } from '../state/vcpu-memory.ts';
import { CodeChunks } from './code-chunks.ts';
import { dispatchCases } from './dispatch-cases.ts';
import { buildMainModule } from './dispatch-loop.ts';
import { maxHandlers } from './handler-keys.ts';
import { status } from './status.ts';

type Slow = (linear: bigint, bytes: number, tag: bigint) => number;
type Kind = 'read' | 'readForWrite' | 'write';
const kinds = ['read', 'readForWrite', 'write'] as const;
const slowNames = { read: 'readSlow', readForWrite: 'readForWriteSlow', write: 'writeSlow' } as const;

const ramBytes = 8 << 20;
const module = new webAssembly.Module(
  buildMainModule({ semantics: {}, cases: dispatchCases({}), countsLookups: false }),
);
const root = 0x1000;
const noMmio = { read: () => 0xffff_ffffn, write: () => {} };

/** Whether two pages have a part of an access each. */
const isShared = (linear: bigint, bytes: number): boolean => Number(linear & 0xfffn) + bytes > 4096;

/** An MMU with the shared functions of the interpreter over it. */
class Machine {
  readonly memory: GuestMemory;
  readonly mmu: Mmu;
  readonly view: DataView;
  readonly #exports: Record<string, unknown>;
  readonly #walks: boolean;
  /** Accesses that TypeScript was asked for. */
  asked = 0;
  /** Writes that others are told of: RAM offset and bytes. */
  readonly announced: number[][] = [];

  constructor(walks: boolean) {
    this.#walks = walks;
    const ram = new webAssembly.Memory({ initial: ramBytes >> 16, maximum: ramBytes >> 16, shared: true });
    this.memory = new GuestMemory(ram, ramBytes, undefined, new PageUsers(allocatePageUsers(ramBytes), 0));
    const vcpu = createVcpuMemory();
    this.view = new DataView(vcpu.buffer);
    this.view.setBigInt64(state.linearMask, -1n, true);
    this.mmu = new Mmu(vcpu.buffer, this.memory, noMmio as never);
    if (!walks) this.mmu.pagingChanged = () => {};
    const table = (initial: number) => new webAssembly.Table({ element: 'anyfunc', initial, maximum: initial });
    const env = {
      ...{ vcpu, ram, users: this.memory.users.memory, handlers: table(maxHandlers), regions: table(1 << 15) },
      ...soloBus,
      accessSlow: (kind: number, bytes: number) => this.#accessSlow(kinds[kind] as Kind, bytes),
      openForWrites: () => 0,
      written: (...place: number[]) => this.announced.push(place),
      host: () => assert.fail('nothing asks for it'),
    };
    this.#exports = new webAssembly.Instance(module, { env }).exports;
    const moves = this.#exports as never as Parameters<Mmu['attach']>[0];
    this.mmu.attach(moves, false, () => true);
  }

  #accessSlow(kind: Kind, bytes: number): number {
    this.asked++;
    try {
      return this.mmu.accessSlow(kind, bytes & 0xff, false, false);
    } catch {
      return status.fault;
    }
  }

  /** What a guest sees of an access. */
  access(kind: Kind, linear: bigint, bytes: number, value: bigint): readonly unknown[] {
    const second = state.scratch + 8;
    this.view.setBigUint64(state.scratch, value, true);
    this.view.setBigUint64(second, value << 7n, true);
    this.view.setBigUint64(state.cr2, 0n, true);
    this.view.setInt32(state.faultError, 0, true);
    this.view.setBigInt64(state.accessLinear, linear, true);
    const outcome =
      this.#walks || !isShared(linear, bytes)
        ? (this.#exports[slowNames[kind]] as Slow)(linear, bytes, 0n)
        : this.#accessSlow(kind, bytes);
    if (outcome !== 0) {
      return [outcome, this.view.getBigUint64(state.cr2, true), this.view.getInt32(state.faultError, true)];
    }
    const scratch = this.view.getBigUint64(state.scratch, true) + (this.view.getBigUint64(second, true) << 64n);
    return [0, kind === 'write' ? 0n : BigInt.asUintN(bytes * 8, scratch)];
  }

  get fills(): number {
    return Number(this.view.getBigInt64(engine.tlbFills, true));
  }

  /** As INVLPG does. */
  flushPage(linear: number): void {
    if (this.mmu.tlb.inLargePage(linear)) this.mmu.spaces.flushAll();
    else this.mmu.tlb.flushPage(linear);
  }

  setPaging(smap: boolean, writeProtect: boolean, noExecute = true): void {
    const { paging } = this.mmu.walker;
    const before = [paging.writeProtect, paging.noExecute];
    Object.assign(paging, { mode: '4-level', base: root, noExecute, smap, writeProtect });
    this.mmu.pagingChanged();
    // As writes to CR0 and EFER do.
    if (before[0] !== writeProtect || before[1] !== noExecute) this.mmu.spaces.flushAll();
  }

  setContext(cpl: number, ac: boolean): void {
    this.view.setInt32(state.cpl, cpl, true);
    this.view.setInt32(state.eflags, ac ? eflags.ac : 0, true);
    this.mmu.selectContext();
  }
}

/** Tables: one entry each of PML4 and PDPT (and one of 1 GB), a page directory, and two page tables. */
const [pdpt, directory, firstTable, secondTable] = [0x2000, 0x3000, 0x4000, 0x5000];
const firstData = 0x10_0000;
/** Linear addresses: upper half, 2 MB apart; the last in the piece of 1 GB, and one that is not canonical. */
const base = 0xffff_8000_0000_0000n;

function randomEntry(random: Random, address: number): bigint {
  const usual = pte.present | pte.writable | pte.user | pte.accessed | pte.dirty;
  let entry = BigInt(address | usual);
  for (const bit of [pte.present, pte.writable, pte.user, pte.accessed, pte.dirty]) {
    if (random.below(6) === 0) entry &= ~BigInt(bit);
  }
  if (random.below(4) === 0) entry |= BigInt(pte.global);
  if (random.below(20) === 0) entry |= 1n << BigInt(40 + random.below(12));
  if (random.below(8) === 0) entry |= 1n << 63n;
  // Bits that mean nothing to the processor.
  if (random.below(4) === 0) entry |= 0x600n;
  return entry;
}

function randomTables(random: Random, machines: readonly Machine[]): void {
  const set = (at: number, entry: bigint): void => {
    for (const { memory } of machines) memory.writeU64(at, entry);
  };
  // There are no pages of 512 GB.
  set(root + 0x800, randomEntry(random, pdpt) | (random.below(12) === 0 ? BigInt(pte.pageSize) : 0n));
  set(pdpt, randomEntry(random, directory));
  // 1 GB that begins with RAM, but is not at a multiple of it, now and then.
  set(pdpt + 8, randomEntry(random, random.below(4) === 0 ? 0x20_0000 : 0) | BigInt(pte.pageSize));
  set(directory, randomEntry(random, firstTable));
  set(directory + 8, randomEntry(random, secondTable));
  const large = random.below(4) === 0 ? 0x2000 : random.below(4) === 0 ? 0x1000 : 0;
  set(directory + 16, randomEntry(random, 0x40_0000 + large) | BigInt(pte.pageSize));
  for (let n = 0; n < 8; n++) {
    // The second table's first leads to no RAM.
    set(firstTable + n * 8, randomEntry(random, firstData + random.below(32) * 4096));
    set(secondTable + n * 8, randomEntry(random, n === 0 ? 0xfee0_0000 : firstData + n * 4096));
  }
}

function randomLinear(random: Random): bigint {
  const offset = random.below(4) === 0 ? 4080 + random.below(16) : random.below(4096);
  const page = BigInt(random.below(8)) * 4096n + BigInt(offset);
  const [tables, twoMb, oneGb] = [BigInt(random.below(2)) << 21n, 2n << 21n, 1n << 30n];
  // The paging structures themselves are not written to.
  const piece = [tables, tables, twoMb, oneGb + 0x8_0000n, oneGb + (5n << 21n)][random.below(5)] as bigint;
  const wild = random.below(40) === 0 ? 1n << BigInt(48 + random.below(15)) : 0n;
  return BigInt.asIntN(64, (base + piece + page) ^ wild);
}

/** The entries that a flush takes, each once: TypeScript makes some again that are there. */
function loggedIn(view: DataView): Uint8Array {
  const found: number[] = [];
  for (let context = 0; context < tlb.contexts; context++) {
    const log = new Int32Array(view.buffer, fillLog.base + context * fillLog.size, fillLog.size / 4);
    const count = log[0] as number;
    const most = context >= tlbContext.user ? fillLog.mostOfUser : fillLog.mostOfSupervisor;
    assert.ok(count <= most, `${count}`);
    const words = log.subarray(fillLog.words / 4, fillLog.words / 4 + count);
    found.push(-1, ...[...new Set(words)].sort((a, b) => a - b));
  }
  return new Uint8Array(Int32Array.from(found).buffer);
}

/** What walks leave behind: every table of every context with the logs for their flushes, the paging structures, and who writes where. */
const tracesOf = ({ view, memory }: Machine): Record<string, Uint8Array> => ({
  tlb: new Uint8Array(view.buffer, tlb.base, tlb.contexts * tlb.contextSize),
  logs: loggedIn(view),
  structures: memory.bytes.subarray(root, secondTable + 4096),
  users: new Uint8Array(memory.users.memory.buffer, 0, (ramBytes / 4096) * 4),
});

for (const seed of [1, 2, 3]) {
  test(`accesses come to the same, and leave the same in TLB and RAM (seed ${seed})`, () => {
    const random = new Random(seed);
    const [walking, plain] = [new Machine(true), new Machine(false)];
    const both = [walking, plain];
    let [accesses, shared, bare] = [0, 0, 0];
    for (let round = 0; round < 400; round++) {
      if (round % 4 === 0) {
        randomTables(random, both);
        for (const machine of both) machine.mmu.spaces.flushAll();
      }
      const [smap, writeProtect, cpl, ac] = [random.below(2), random.below(4), random.below(2) * 3, random.below(2)];
      const noExecute = random.below(4) > 0;
      const code = random.below(3) === 0 ? firstData / 4096 + random.below(32) : 0;
      for (const machine of both) {
        machine.setPaging(smap === 1, writeProtect > 0, noExecute);
        machine.setContext(cpl, ac === 1);
        if (code !== 0) {
          machine.memory.users.claimCode(code);
          machine.mmu.tlb.protectRamPage(code * 4096);
          new CodeChunks(machine.memory.users.codeChunks).clear(code);
        }
      }
      for (let n = 0; n < 60; n++) {
        const kind = kinds[random.below(3)] as Kind;
        const [linear, bytes] = [randomLinear(random), 1 << random.below(5)];
        const value = BigInt(random.below(1 << 30)) * 0x1_2345_6789n;
        const results = both.map((machine) => machine.access(kind, linear, bytes, value));
        assert.deepEqual(results[0], results[1], `${kind} of ${bytes} at ${linear.toString(16)}, round ${round}`);
        accesses++;
        if (isShared(linear, bytes) && results[0]?.[0] === 0) shared++;
      }
      for (const [name, bytes] of Object.entries(tracesOf(walking))) {
        assert.equal(Buffer.compare(bytes, tracesOf(plain)[name] as Uint8Array), 0, `${name}, round ${round}`);
      }
      const flushed = Number(randomLinear(random));
      for (const machine of both) machine.flushPage(flushed);
      if (random.below(3) === 0) for (const machine of both) machine.mmu.spaces.flushNonGlobal();
      if (code !== 0) for (const machine of both) machine.memory.users.releaseCode(code);
      bare = plain.asked;
    }
    assert.equal(Buffer.compare(walking.memory.bytes, plain.memory.bytes), 0);
    assert.equal(plain.fills, 0);
    // Or the comparison says nothing.
    assert.ok(walking.fills > accesses / 50 && walking.asked < bare, `${walking.fills} of ${accesses}`);
    assert.ok(shared > accesses / 200, `${shared}`);
  });
}

/** A machine with a page of data at `base`. */
function machineWithPage(): Machine {
  const machine = new Machine(true);
  machine.setPaging(false, true);
  const usual = BigInt(pte.present | pte.writable | pte.accessed | pte.dirty);
  for (const [at, to] of [
    [root + 0x800, pdpt],
    [pdpt, directory],
    [directory, firstTable],
    [firstTable, firstData],
  ]) {
    machine.memory.writeU64(at as number, BigInt(to as number) | usual);
  }
  machine.setContext(0, false);
  return machine;
}

test('a write beside code need not leave WebAssembly, a write to code does', () => {
  const machine = machineWithPage();
  const { users } = machine.memory;
  const page = firstData / 4096;
  const linear = BigInt.asIntN(64, base);
  const asks = (offset: number, bytes: number): boolean => {
    const before = machine.asked;
    const value = 0x1122_3344_5566_7788n + BigInt(offset);
    assert.equal(machine.access('write', linear + BigInt(offset), bytes, value)[0], 0);
    const written = machine.memory.readU64(firstData + offset);
    assert.equal(BigInt.asUintN(bytes * 8, written), BigInt.asUintN(bytes * 8, value));
    return machine.asked > before;
  };
  const chunks = new CodeChunks(users.codeChunks);
  users.claimCode(page);
  chunks.clear(page);
  chunks.hold(firstData + 190, 4);
  chunks.hold(firstData + 4095, 1);
  for (const [offset, bytes, held] of [
    [0, 1, false],
    [120, 8, false],
    [121, 8, true],
    [128, 1, true],
    [255, 1, true],
    [256, 8, false],
    [252, 8, true],
    [4024, 8, false],
    [4031, 2, true],
    [4032, 1, true],
    [4088, 8, true],
  ] as const) {
    assert.equal(asks(offset, bytes), held, `${bytes} at ${offset}`);
  }
  // It never comes to be one of those that are written to unseen.
  assert.equal(machine.mmu.tlb.find(tlbContext.supervisor, true, Number(linear)), -1);
  assert.ok(!users.writes(page, 0));
  chunks.release(page * 64 + 2);
  assert.ok(!asks(128, 1) && !asks(191, 1) && asks(192, 1));
  assert.deepEqual(machine.announced, []);
  // So it is with what another processor has.
  const others = new PageUsers(users.memory, 15);
  others.claimCode(page);
  assert.ok(!asks(128, 1));
  new CodeChunks(others.codeChunks).hold(firstData + 100, 15);
  assert.ok(asks(64, 1) && !asks(128, 1) && asks(255, 1));
  users.releaseCode(page);
  assert.ok(asks(64, 1) && !asks(128, 1) && !asks(255, 1));
  assert.deepEqual(machine.announced, []);
});

test('nothing is walked where checks want to see every access, nor while writes are logged', () => {
  const machine = machineWithPage();
  const linear = BigInt.asIntN(64, base);
  const walked = (): boolean => {
    machine.mmu.spaces.flushAll();
    const { fills } = machine;
    assert.equal(machine.access('read', linear, 4, 0n)[0], 0);
    return machine.fills > fills;
  };
  assert.ok(walked());
  machine.mmu.log.start();
  assert.ok(!walked());
  machine.mmu.log.stop();
  assert.ok(walked());
  machine.mmu.onWatch = () => {};
  machine.mmu.selectContext();
  assert.ok(!walked());
  assert.equal(machine.view.getInt32(state.tlbBase, true), tlb.base + tlbContext.checked * tlb.contextSize);
});
