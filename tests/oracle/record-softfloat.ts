/**
 * Records the vectors that `vectors.test.ts` replays: `node tests/oracle/record-softfloat.ts` on an Intel x86-64 Linux host.
 */

import { Oracle } from './softfloat/host.ts';
import { Random } from './softfloat/operands.ts';
import { seed } from './softfloat/settings.ts';
import { suites } from './softfloat/suites.ts';
import { writeVectors } from './softfloat/vectors.ts';

const casesPerOperation = 100;

const oracle = new Oracle();
const recordings = suites.map((suite) => {
  const requests = suite.makeRequests(new Random(seed()), casesPerOperation);
  return { operation: suite.name, requests, replies: oracle.executeRaw(suite.name, requests) };
});
oracle.close();
console.log(`${recordings.length} operations, ${writeVectors(recordings)} bytes`);
