import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteWriter } from './byte-writer.ts';
import { CodeBuilder } from './code-builder.ts';
import { callFor, i32Constant, i64Constant, integer, loadI32, select, wrap } from './expression.ts';
import { ModuleBuilder } from './module-builder.ts';
import { store } from './opcodes.ts';
import type { FunctionType } from './types.ts';
import { webAssembly } from './webassembly.ts';

const unary: FunctionType = { parameters: ['i32'], results: ['i32'] };

function instantiate(
  module: ModuleBuilder,
  imports: Record<string, unknown> = {},
): Record<string, (...a: number[]) => number> {
  const instance = new webAssembly.Instance(new webAssembly.Module(module.finish()), { env: imports });
  return instance.exports as Record<string, (...a: number[]) => number>;
}

/** A module of one exported function `run` over i32. */
function single(emit: (code: CodeBuilder) => void): (x: number) => number {
  const module = new ModuleBuilder();
  const index = module.declare(unary);
  const code = new CodeBuilder(unary.parameters);
  emit(code);
  module.define(index, code);
  module.export('run', index);
  return instantiate(module).run as (x: number) => number;
}

test('LEB128 encodings match the format at their edges', () => {
  const out = new ByteWriter();
  out.unsigned(624485);
  out.signed(-123456);
  out.signed(63);
  out.signed(64);
  out.signed64(-0x8000_0000_0000_0000n);
  const longest = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f];
  assert.deepEqual([...out.bytes()], [0xe5, 0x8e, 0x26, 0xc0, 0xbb, 0x78, 0x3f, 0xc0, 0x00, ...longest]);
});

test('loops, blocks and locals run', () => {
  const sum = single((code) => {
    const n = code.parameter(0);
    const total = code.local('i32');
    code.set(total, i32Constant(0));
    code.block((leave) => {
      code.loop((again) => {
        code.branchIf(integer('eqz', code.get(n)), leave, false);
        code.set(total, integer('add', code.get(total), code.get(n)));
        code.set(n, integer('sub', code.get(n), i32Constant(1)));
        code.branch(again);
      });
    });
    code.value(code.get(total));
  });
  assert.equal(sum(1000), 500500);
});

test('a branch table reaches each case and the default', () => {
  const pick = single((code) => {
    code.block((fallback) => {
      code.block((one) => {
        code.block((zero) => code.branchTable(code.get(code.parameter(0)), [zero, one], fallback));
        code.return(i32Constant(10));
      });
      code.return(i32Constant(11));
    });
    code.value(i32Constant(99));
  });
  assert.deepEqual([0, 1, 2, -1].map(pick), [10, 11, 99, 99]);
});

test('locals taken in a scope are reused after it, and distinct inside it', () => {
  const builder = new CodeBuilder([]);
  let first = -1;
  builder.scope(() => {
    first = builder.local('i32').index;
    assert.notEqual(builder.local('i32').index, first);
  });
  builder.scope(() => {
    const again = [builder.local('i32').index, builder.local('i32').index];
    assert.ok(again.includes(first));
  });
});

test('64-bit constants, selects and conversions keep their values', () => {
  const run = single((code) => {
    const big = code.bind(integer('shl', i64Constant(0x1_2345_6789n), i64Constant(4)));
    code.value(select(code.get(code.parameter(0)), wrap(big), wrap(integer('shrU', big, i64Constant(32)))));
  });
  assert.equal(run(1) >>> 0, (0x2345_6789 * 16) % 2 ** 32);
  assert.equal(run(0), 0x12);
});

test('imported memories, functions and tables are usable', () => {
  const memory = new webAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const table = new webAssembly.Table({ element: 'anyfunc', initial: 4 });
  const module = new ModuleBuilder();
  module.importMemory('ram', { initial: 1, maximum: 1 });
  module.importTable('calls', 4);
  const double = module.importFunction('double', unary);
  const index = module.declare(unary);
  const code = new CodeBuilder(unary.parameters);
  code.store(store.i32, i32Constant(8), callFor('i32', double, [code.get(code.parameter(0))]), 4, 0);
  code.memoryCopy(0, i32Constant(100), i32Constant(12), i32Constant(4));
  code.memoryFill(0, i32Constant(104), i32Constant(0xab), i32Constant(2));
  code.value(loadI32(i32Constant(0), 100));
  module.define(index, code);
  module.fillTable(2, [index]);
  instantiate(module, { ram: memory, calls: table, double: (x: number) => 2 * x });
  const entry = table.get(2) as (x: number) => number;
  assert.equal(entry(21), 42);
  assert.deepEqual([...new Uint8Array(memory.buffer, 100, 6)], [42, 0, 0, 0, 0xab, 0xab]);
});

test('a body with an open block, or a local of the wrong type, is refused', () => {
  const code = new CodeBuilder([]);
  const local = code.local('i64');
  assert.throws(() => code.set(local, i32Constant(1)), /i64 set to i32/);
  assert.throws(() => code.block(() => code.finish()), /open blocks/);
});
