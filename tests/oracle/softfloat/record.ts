/**
 * Records the vectors that `vectors.test.ts` replays: `node tests/oracle/softfloat/record.ts` on an Intel x86-64 Linux host.
 */

import { Oracle } from './host.ts';
import { Random } from './operands.ts';
import { seed } from './settings.ts';
import { suites } from './suites.ts';
import { writeVectors } from './vectors.ts';

const casesPerOperation = 100;

const oracle = new Oracle();
const recordings = suites.map((suite) => {
  const requests = suite.makeRequests(new Random(seed()), casesPerOperation);
  return { operation: suite.name, requests, replies: oracle.executeRaw(suite.name, requests) };
});
oracle.close();
console.log(`${recordings.length} operations, ${writeVectors(recordings)} bytes`);
