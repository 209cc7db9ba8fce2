import assert from 'node:assert/strict';
import { test } from 'node:test';
import { status } from '../interpret/status.ts';
import { WriteLog } from '../mmu/write-log.ts';
import { state } from '../state/layout.ts';
import { bareMachine } from '../testing/bare-machine.ts';
import { Verifier } from './verifier.ts';

/** A processor whose only instruction adds the byte of RAM at 0 to RAX, and a verifier for it. */
function adder() {
  const { memory, vcpu } = bareMachine();
  const { view } = vcpu.state;
  const log = new WriteLog(memory, () => {});
  const add = (more: number): void => {
    const sum = view.getBigUint64(state.gpr, true) + BigInt((memory.bytes[0] as number) + more);
    view.setBigUint64(state.gpr, sum, true);
  };
  let restored = 0;
  const verifier = new Verifier({
    view,
    log,
    flush: () => {},
    isolate: () => {},
    reconnect: () => {},
    restored: () => restored++,
    settle: () => {},
    step: () => {
      add(0);
      return status.next;
    },
    describe: () => 'the adder',
    writesOften: () => false,
  });
  /** @param more by the number of the run: what the region adds too much */
  const region = (more: (run: number) => number) => {
    let runs = 0;
    return (): number => {
      add(more(++runs));
      view.setInt32(state.budget, view.getInt32(state.budget, true) - 1, true);
      return status.lookup;
    };
  };
  return { memory, view, verifier, region, restored: () => restored };
}

test('a difference that comes up again and again is one', () => {
  const { verifier, region } = adder();
  assert.throws(
    () =>
      verifier.run(
        region(() => 1),
        0,
      ),
    /after 1 instructions.*\nrax: interpreter 0, translator 1\n.*the adder/s,
  );
  assert.equal(verifier.verified, 0);
});

test('what another thread wrote between the two runs is none, and what was done is done once', () => {
  const { memory, view, verifier, region, restored } = adder();
  memory.bytes[0] = 5;
  assert.equal(
    verifier.run(
      region((run) => (run === 1 ? -1 : 0)),
      0,
    ),
    status.lookup,
  );
  assert.deepEqual([view.getBigUint64(state.gpr, true), verifier.verified], [5n, 1]);
  assert.equal(restored(), 3, 'after both runs that differed, and the region of the next attempt');
});
