/**
 * The software floating-point library against the CPU this runs on: results, exception flags, condition codes, traps.
 * Exact to the bit, except the x87 transcendentals: there the library rounds correctly and the hardware does not always, so
 * one unit in the last place is allowed, and how often both agree fully is printed.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { oracleSkip } from '../host.ts';
import { assertNoDifferences, exactRate } from './comparison.ts';
import { Oracle } from './host.ts';
import { Random } from './operands.ts';
import { caseCount, seed } from './settings.ts';
import { suites } from './suites.ts';

const roundingModes = 4;

describe('software floating point against the CPU', { skip: oracleSkip() }, () => {
  let oracle: Oracle;
  before(() => {
    oracle = new Oracle();
  });
  after(() => oracle?.close());

  test('the tests cover every operation of the harness', () => {
    assert.deepEqual(suites.map(({ name }) => name).sort(), [...oracle.operations()].sort());
  });

  for (const suite of suites) {
    test(suite.name, (t) => {
      const requests = suite.makeRequests(new Random(seed()), roundingModes * caseCount());
      const replies = oracle.execute(suite.name, requests);
      const compared = replies.map((reply, i) => suite.compare(requests[i] as (typeof requests)[0], reply));
      if (suite.isApproximate) t.diagnostic(`${suite.name}: ${exactRate(compared)} % of ${compared.length} exact`);
      assertNoDifferences(compared);
    });
  }
});
