import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GuestMemory } from '../../memory/guest-memory.ts';
import { msr } from '../../spec/x86/msr.ts';
import { webAssembly } from '../../wasm/webassembly.ts';
import { allocateKvmClocks, KvmClock } from './kvm-clock.ts';

const page = (processor: number): number => 0x1000 + processor * 64;
const stable = 1;

interface TestMachine {
  readonly memory: GuestMemory;
  readonly clocks: KvmClock[];
  nowNs: number;
  /** IA32_TSC_ADJUST of each processor. */
  readonly adjust: bigint[];
}

/** Clocks that share nothing but memory, as those on different threads do. */
function machine(processors: number): TestMachine {
  const memory = new GuestMemory(new webAssembly.Memory({ initial: 1, maximum: 1, shared: true }), 0x1_0000);
  const shared = allocateKvmClocks(processors);
  const made: TestMachine = { memory, clocks: [], nowNs: 5_000, adjust: new Array<bigint>(processors).fill(0n) };
  for (let processor = 0; processor < processors; processor++) {
    const tscAdjust = (): bigint => made.adjust[processor] ?? 0n;
    const time = { tscAdjust, nowNs: () => made.nowNs, wallClockMs: () => 1_700_000_000_123 };
    made.clocks.push(new KvmClock(memory, time, shared, processor));
  }
  return made;
}

/** What a guest computes: Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW. */
function guestNs({ memory, nowNs, adjust }: TestMachine, processor: number): bigint {
  const at = page(processor);
  assert.equal(memory.readU32(at) & 1, 0, 'complete');
  const tsc = BigInt.asUintN(64, BigInt(nowNs) + (adjust[processor] ?? 0n));
  const delta = BigInt.asUintN(64, tsc - memory.readU64(at + 8));
  const shifted = BigInt.asUintN(64, delta << BigInt(memory.readU8(at + 28)));
  return memory.readU64(at + 16) + ((shifted * BigInt(memory.readU32(at + 24))) >> 32n);
}

const flags = ({ memory }: TestMachine, processor: number): number => memory.readU8(page(processor) + 29);

function start(of: TestMachine): void {
  of.clocks.forEach((clock, processor) => {
    assert.ok(clock.write(msr.kvmSystemTimeNew, BigInt(page(processor)) | 1n));
    of.nowNs += 777;
  });
}

describe('kvmclock', () => {
  it('gives every processor the same time, to the nanosecond, whenever it starts', () => {
    const of = machine(3);
    start(of);
    for (of.nowNs of [10_000, 10_001, 3_600_000_000_000, 2 ** 50]) {
      for (const processor of [0, 1, 2]) assert.equal(guestNs(of, processor), BigInt(of.nowNs));
    }
    assert.deepEqual(
      [0, 1, 2].map((processor) => flags(of, processor)),
      [stable, stable, stable],
    );
  });

  it('follows a counter that the guest sets, and says on every page that they differ', () => {
    const of = machine(3);
    start(of);
    of.adjust[1] = -123_456n;
    of.clocks[1]?.tscChanged();
    for (const processor of [0, 1, 2]) {
      assert.equal(guestNs(of, processor), BigInt(of.nowNs));
      assert.equal(flags(of, processor), 0);
    }
    for (const processor of [0, 2]) {
      of.adjust[processor] = -123_456n;
      of.clocks[processor]?.tscChanged();
    }
    for (const processor of [0, 1, 2]) {
      assert.equal(guestNs(of, processor), BigInt(of.nowNs));
      assert.equal(flags(of, processor), stable);
    }
  });

  it('writes no page that is switched off', () => {
    const of = machine(2);
    start(of);
    assert.ok(of.clocks[0]?.write(msr.kvmSystemTimeNew, BigInt(page(0))));
    of.memory.writeU8(page(0) + 29, 0x55);
    of.adjust[1] = 9n;
    of.clocks[1]?.tscChanged();
    assert.equal(flags(of, 0), 0x55);
    assert.equal(flags(of, 1), 0);
  });

  it('has one page a processor, and one wall clock for all', () => {
    const of = machine(2);
    start(of);
    assert.equal(of.clocks[1]?.read(msr.kvmSystemTimeNew), BigInt(page(1)) | 1n);
    assert.equal(of.clocks[0]?.read(msr.kvmSystemTime), BigInt(page(0)) | 1n);
    assert.ok(of.clocks[1]?.write(msr.kvmWallClockNew, 0x2000n));
    assert.equal(of.clocks[0]?.read(msr.kvmWallClock), 0x2000n);
    const bootNs = BigInt(of.memory.readU32(0x2004)) * 1_000_000_000n + BigInt(of.memory.readU32(0x2008));
    const errorNs = Number(bootNs + BigInt(of.nowNs) - 1_700_000_000_123_000_000n);
    // Milliseconds times a million are beyond what a double counts one by one.
    assert.ok(Math.abs(errorNs) < 1_000, `${errorNs}`);
  });
});
