/** REP STOS and REP MOVS over pages with code: what a kernel does to the pages of programs that have ended. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageSize } from '../memory/guest-memory.ts';
import { PageUsers } from '../memory/page-users.ts';
import { CodeChunks } from './interpret/code-chunks.ts';
import { tlb } from './state/layout.ts';
import { type BareMachine, bareMachine, enterLongMode } from './testing/bare-machine.ts';
import { runCode } from './testing/run-code.ts';

const [nop, hlt, cld, std] = [0x90, 0xf4, 0xfc, 0xfd];
const repStosb = [0xf3, 0xaa];
const repStosq = [0xf3, 0x48, 0xab];
const repMovsb = [0xf3, 0xa4];
const repMovsq = [0xf3, 0x48, 0xa5];
/** mov al, [rsi]; mov al, [rdi] */
const readSource = [0x8a, 0x06];
const readTarget = [0x8a, 0x07];

const driver = 0x10_0000;
const page = 0x20_0000;
/** Its page has the place in the TLB that `page` has, and lies elsewhere in RAM. */
const source = page + tlb.entries * pageSize;
const sourceInRam = 0x60_0000;
/** Level-2 table of `enterLongMode`: entries of 2 MiB. */
const level2 = 0x3000;
const largePage = 0x20_0000;
const modes = ['never', 'hot', 'always', 'staying'] as const;

type Registers = Partial<Record<'rax' | 'rcx' | 'rsi' | 'rdi', number | bigint>>;
const numbers = { rax: 0, rcx: 1, rsi: 6, rdi: 7 } as const;

function run(machine: BareMachine, rip: number, registers: Registers = {}): void {
  const { state } = machine.vcpu;
  for (const name of ['rax', 'rcx', 'rsi', 'rdi'] as const) {
    const value = registers[name];
    if (value !== undefined) state.setGpr(numbers[name], BigInt(value));
  }
  state.rip = BigInt(rip);
  machine.vcpu.halted = false;
  for (let n = 0; n < 1000 && machine.vcpu.run(10_000) === 'budget'; n++);
  assert.ok(machine.vcpu.halted);
}

/** @returns a machine that has run all of `page`, whose last instruction is a HLT */
function machineWithCode(mode: (typeof modes)[number]): BareMachine {
  const machine = bareMachine(8, mode);
  enterLongMode(machine, page);
  machine.memory.writeU64(level2 + (source / largePage) * 8, BigInt(sourceInRam) | 0x87n);
  machine.memory.write(page, new Uint8Array(pageSize).fill(nop).fill(hlt, pageSize - 1));
  run(machine, page);
  assert.equal(machine.vcpu.state.rip, BigInt(page + pageSize));
  return machine;
}

const missesOf = ({ vcpu }: BareMachine): number => vcpu.statistics().tlbMisses as number;

/** Writes `code` with a HLT behind it at the driver's place, and runs it. @returns how often TypeScript was asked for an access */
function drive(machine: BareMachine, code: readonly number[], registers: Registers): number {
  machine.memory.write(driver, Uint8Array.from([...code, hlt]));
  const before = missesOf(machine);
  run(machine, driver, registers);
  assert.equal(machine.vcpu.state.gpr(numbers.rcx), 0n);
  return missesOf(machine) - before;
}

/** mov [rdi], al */
const storeAl = [0x88, 0x07];

for (const mode of modes) {
  test(`single bytes of code are overwritten, wherever a region that ran reaches: ${mode}`, () => {
    const machine = machineWithCode(mode);
    // What is decoded at once is 64 instructions; regions go on.
    for (const offset of [3000, 1000, 450, 200, 127, 70, 63, 1]) {
      run(machine, page);
      drive(machine, storeAl, { rax: hlt, rcx: 0, rdi: page + offset });
      run(machine, page);
      assert.equal(machine.vcpu.state.rip, BigInt(page + offset + 1));
    }
  });

  test(`a page of code is cleared at once, and what it becomes is run: ${mode}`, () => {
    for (const [code, count] of [
      [repStosb, pageSize],
      [repStosq, pageSize / 8],
    ] as const) {
      const machine = machineWithCode(mode);
      const misses = drive(machine, code, { rax: 0xf4f4_f4f4_f4f4_f4f4n, rcx: count, rdi: page });
      // In a region that stays, the first code that is met has the interpreter go on.
      assert.ok(misses <= (mode === 'staying' ? 4 : 1), `${misses}`);
      assert.deepEqual(machine.memory.read(page, pageSize), new Uint8Array(pageSize).fill(hlt));
      run(machine, page + 8);
      assert.equal(machine.vcpu.state.rip, BigInt(page + 9));
    }
  });

  test(`another program is copied over it from a page that has its place in the TLB, up and down: ${mode}`, () => {
    for (const [code, count, down] of [
      [repMovsb, pageSize, false],
      [repMovsq, pageSize / 8, false],
      [repMovsb, pageSize, true],
      [repMovsq, pageSize / 8, true],
    ] as const) {
      const machine = machineWithCode(mode);
      const program = new Uint8Array(pageSize).map((_, n) => (n * 7) & 0xff);
      program.set([0xb8, 0x78, 0x56, 0x34, 0x12, hlt]);
      machine.memory.write(sourceInRam, program);
      const last = down ? pageSize - pageSize / count : 0;
      const registers = { rcx: count, rsi: source + last, rdi: page + last };
      const misses = drive(machine, [down ? std : cld, ...readSource, ...code, cld], registers);
      assert.ok(misses <= 4, `${misses}`);
      assert.deepEqual(machine.memory.read(page, pageSize), program);
      run(machine, page);
      assert.equal(machine.vcpu.state.gpr(numbers.rax), 0x1234_5678n);
    }
  });

  test(`code beside what is overwritten stays: ${mode}`, () => {
    const machine = machineWithCode(mode);
    drive(machine, repStosb, { rax: 0xcc, rcx: 1000, rdi: page + 512 });
    const expected = new Uint8Array(pageSize).fill(nop).fill(0xcc, 512, 1512);
    expected[pageSize - 1] = hlt;
    assert.deepEqual(machine.memory.read(page, pageSize), expected);
    run(machine, page + 1512);
    assert.equal(machine.vcpu.state.rip, BigInt(page + pageSize));
  });

  test(`an instruction that overwrites itself goes on, and is followed by what it wrote: ${mode}`, () => {
    const machine = machineWithCode(mode);
    machine.memory.write(page + 256, Uint8Array.from(repStosb));
    run(machine, page + 256, { rax: hlt, rcx: pageSize, rdi: page });
    assert.deepEqual(machine.memory.read(page, pageSize), new Uint8Array(pageSize).fill(hlt));
    assert.equal(machine.vcpu.state.rip, BigInt(page + 256 + repStosb.length + 1));
  });
}

test('elements that two pages share are moved one by one, up and down, to a page that was only read', () => {
  for (const down of [false, true]) {
    for (const offset of [-4, 4092, 4096]) {
      const machine = machineWithCode('never');
      // There is no entry for writes that says where it lies; its linear address is none in RAM.
      const [from, to] = [0x40_0ffc, source + 0x1000 + offset];
      const data = Uint8Array.from({ length: 64 }, (_, n) => n + 1);
      machine.memory.write(from - 24, data);
      drive(machine, [down ? std : cld, ...readSource, ...readTarget, ...repMovsq, cld], {
        rcx: 3,
        rsi: from,
        rdi: to,
      });
      const first = down ? -16 : 0;
      const moved = machine.memory.read(sourceInRam + 0x1000 + offset + first, 24);
      assert.deepEqual(moved, data.slice(24 + first, 48 + first), `${offset}`);
      drive(machine, [down ? std : cld, ...repStosq, cld], { rax: -1n, rcx: 3, rdi: to });
      const filled = machine.memory.read(sourceInRam + 0x1000 + offset + first, 24);
      assert.deepEqual(filled, new Uint8Array(24).fill(0xff), `${offset}`);
    }
  }
});

test('code of a page that may not be written to stays', () => {
  const machine = machineWithCode('never');
  const { vector, faultAddress } = runCode(machine, repStosb, () => {
    machine.memory.writeU64(level2 + (page / largePage) * 8, BigInt(page) | 0x85n);
    machine.vcpu.state.setGpr(numbers.rcx, BigInt(pageSize));
    machine.vcpu.state.setGpr(numbers.rdi, BigInt(page));
  });
  assert.deepEqual([vector, faultAddress], [14, BigInt(page)]);
  assert.ok(machine.memory.users.holdsCode(page / pageSize));
});

test('another processor that holds code of the page is told of all that is written', () => {
  const machine = machineWithCode('never');
  const other = new PageUsers(machine.memory.users.memory, 1);
  other.claimCode(page / pageSize);
  new CodeChunks(other.codeChunks).holdPage(page / pageSize);
  const told: [number, number][] = [];
  machine.memory.onRemoteCodeWrite((processors, ramOffset, length) => {
    assert.equal(processors, 1 << 1);
    told.push([ramOffset, length]);
    // It takes its time.
    if (told.length === 100) other.releaseCode(page / pageSize);
  });
  drive(machine, repStosb, { rax: hlt, rcx: pageSize, rdi: page });
  assert.deepEqual(told[0], [page, pageSize]);
  assert.ok(told.length >= 100 && told.length < 300, `${told.length}`);
  assert.deepEqual(machine.memory.read(page, pageSize), new Uint8Array(pageSize).fill(hlt));
});
