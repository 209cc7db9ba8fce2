import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodeBuilder } from './code-builder.ts';
import { integer, lateConstant, loadFrom, wrap } from './expression.ts';
import { LateNumber } from './late-number.ts';
import { ModuleBuilder } from './module-builder.ts';
import { load } from './opcodes.ts';
import { webAssembly } from './webassembly.ts';

/** A function of an i64 that adds `constant` and loads the byte `offset` beyond it. */
function addAndLoad(constant: number, offset: number): (at: bigint) => number {
  const late = { constant: new LateNumber(3), offset: new LateNumber(3) };
  const module = new ModuleBuilder();
  module.importMemory('vcpu', { initial: 1, maximum: 1 });
  const type = { parameters: ['i64'], results: ['i32'] } as const;
  const index = module.declare(type);
  const code = new CodeBuilder(type.parameters);
  const sum = integer('add', code.get(code.parameter(0)), lateConstant(late.constant));
  code.value(loadFrom(load.i32_8u, 'i32', wrap(sum), late.offset, 0));
  late.constant.fill(constant);
  late.offset.fill(offset);
  module.define(index, code);
  module.export('run', index);
  const memory = new webAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  new Uint8Array(memory.buffer).forEach((_, n, bytes) => {
    bytes[n] = n % 251;
  });
  const compiled = new webAssembly.Module(module.finish());
  return new webAssembly.Instance(compiled, { env: { vcpu: memory } }).exports.run as (at: bigint) => number;
}

test('a late constant and a late offset are what they are filled with', () => {
  for (const [constant, offset] of [
    [0, 0],
    [-8, 1],
    [-1000, 65_535 - 2000],
    [1000, 511],
  ] as const) {
    assert.equal(addAndLoad(constant, offset)(1000n), (1000 + constant + offset) % 251);
  }
});

test('what does not fit is refused', () => {
  const late = new LateNumber(3);
  const code = new CodeBuilder([]);
  code.value(lateConstant(late));
  assert.throws(() => late.fill(2 ** 20), RangeError);
  assert.throws(() => late.fill(Number.NaN), RangeError);
});
