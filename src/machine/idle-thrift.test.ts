import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdleThrift } from './idle-thrift.ts';

const second = 1e9;
const many = 1_000_000;

/** @returns how often memory was given back by the end; `seconds`: of each, what was run in it */
function watch(seconds: readonly number[], records: (forgotten: number) => number): number {
  let forgotten = 0;
  let given = 0;
  const vcpu = {
    get records() {
      return records(forgotten);
    },
    forgetRecords: () => {
      forgotten++;
      return [[0, 4096]] as const;
    },
  };
  const thrift = new IdleThrift(vcpu, (ranges) => {
    assert.deepEqual(ranges, [[0, 4096]]);
    given++;
  });
  let ranNs = 0;
  for (const [n, ran] of seconds.entries()) {
    ranNs += ran * second;
    thrift.halted((n + 1) * second, ranNs);
  }
  assert.equal(given, forgotten);
  return given;
}

const rest = (seconds: number): number[] => new Array(seconds).fill(0.01);
const work = (seconds: number): number[] => new Array(seconds).fill(0.9);

test('a processor that rests after its work gives memory back once', () => {
  assert.equal(
    watch([...work(30), ...rest(100)], (forgotten) => (forgotten === 0 ? many : 1000)),
    1,
  );
});

test('it does so again after more work', () => {
  const twice = [...work(30), ...rest(100), ...work(30), ...rest(100)];
  let asked = 0;
  const records = (forgotten: number): number => (forgotten === 0 || asked++ > 3 ? many : 1000);
  assert.equal(watch(twice, records), 2);
});

test('a minute of rest will do, however seldom it wakes', () => {
  assert.equal(
    watch([...work(15), ...rest(75)], () => many),
    1,
  );
  assert.equal(
    watch([...work(15), ...rest(55)], () => many),
    0,
  );
  let given = 0;
  const vcpu = { records: many, forgetRecords: () => [] };
  const thrift = new IdleThrift(vcpu, () => given++);
  thrift.halted(100 * second, 5 * second);
  assert.equal(given, 1);
});

test('one that works, or rests for moments only, keeps what it has', () => {
  assert.equal(
    watch(work(200), () => many),
    0,
  );
  const now = [...work(4), ...rest(40)];
  assert.equal(
    watch([...now, ...now, ...now, ...now, ...now], () => many),
    0,
  );
});

test('one that has little to give keeps it', () => {
  assert.equal(
    watch(rest(200), () => 1000),
    0,
  );
});
