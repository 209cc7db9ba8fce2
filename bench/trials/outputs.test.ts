/** What programs print, as they print it in a guest of Debian 12, and what they print when something is wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Result } from '../../src/support/result.ts';
import { parseFio } from './fio.ts';
import { parseIperf3 } from './iperf3.ts';
import { parsePgbench } from './pgbench.ts';
import { parseStressNg } from './stress-ng.ts';

function reason(result: Result<unknown>): string {
  assert.ok(!result.ok);
  return result.error.message;
}

const fio = (job: object): string => `fio: a note about the clock\n${JSON.stringify({ jobs: [job] }, null, 2)}\n`;
const idle = { bw_bytes: 0, iops: 0 };

test("fio's report has a rate and operations for each direction", () => {
  const output = fio({ jobname: 't', error: 0, read: { bw_bytes: 14636755, iops: 3571.428571 }, write: idle });
  assert.deepEqual(parseFio(output, 'read'), {
    ok: true,
    value: { bytesPerSecond: 14636755, operationsPerSecond: 3571.428571 },
  });
});

test('fio that did nothing, failed, or was cut off gives a reason', () => {
  // This is what it reports of a file that it could not open, along with error 0.
  assert.match(
    reason(parseFio(fio({ error: 0, read: idle, write: idle }), 'read')),
    /no bytes a second of reads \(0\)/,
  );
  assert.match(reason(parseFio(fio({ error: 28, read: { bw_bytes: 5, iops: 5 } }), 'read')), /error 28/);
  assert.match(reason(parseFio(fio({ error: 0, read: { bw_bytes: '5', iops: 5 } }), 'read')), /\("5"\)/);
  assert.match(reason(parseFio(fio({ error: 0 }), 'write')), /\(none\)/);
  assert.match(reason(parseFio('{"jobs": []}', 'read')), /no job/);
  assert.match(reason(parseFio('{"jobs": null}', 'read')), /no job/);
  assert.match(reason(parseFio('{"jobs": [{"error": 0', 'read')), /torn/);
  assert.match(reason(parseFio('fio: failed to open\n', 'read')), /no report: fio: failed to open/);
  assert.match(reason(parseFio('', 'read')), /no report$/);
  assert.match(reason(parseFio('{"jobs":[{"error":0,"read":{"bw_bytes":1e999,"iops":1}}]}', 'read')), /no bytes/);
});

test("iperf3's report has what arrived", () => {
  const end = { sum_sent: { bits_per_second: 7e9 }, sum_received: { bits_per_second: 5.5e9 } };
  assert.deepEqual(parseIperf3(JSON.stringify({ end }, null, '\t')), { ok: true, value: 5.5e9 });
});

test('iperf3 without a connection, or without a transfer, gives a reason', () => {
  const refused = '{\n\t"end":\t{\n\t},\n\t"error":\t"unable to connect to server: Connection refused"\n}\n';
  assert.equal(reason(parseIperf3(refused)), 'iperf3: unable to connect to server: Connection refused');
  assert.match(
    reason(parseIperf3('{"end":{"sum_received":{"bits_per_second":0}}}')),
    /no bits a second received \(0\)/,
  );
  assert.match(reason(parseIperf3('{"end":{"sum_received":{"bits_per_second":null}}}')), /\(null\)/);
  assert.match(reason(parseIperf3('{"end":{"sum_received":{"bits_per_second":-1}}}')), /\(-1\)/);
  assert.match(reason(parseIperf3('iperf3: parameter error')), /no report/);
});

const pgbench = (failed: number, tps: string): string => `pgbench (15.20 (Debian 15.20-0+deb12u1))
duration: 3 s
number of transactions actually processed: 169
number of failed transactions: ${failed} (0.000%)
latency average = 17.473 ms
initial connection time = 49.185 ms
tps = ${tps} (without initial connection time)
`;

test("pgbench's summary has transactions a second", () => {
  assert.deepEqual(parsePgbench(pgbench(0, '57.231409')), { ok: true, value: 57.231409 });
});

test('pgbench that was refused, aborted or failed transactions gives a reason', () => {
  const refused = 'pgbench: error: connection to server on socket "/x" failed: FATAL:  database "b" does not exist\n';
  assert.match(reason(parsePgbench(refused)), /database "b" does not exist/);
  assert.match(reason(parsePgbench(pgbench(3, '50'))), /3 transactions failed/);
  assert.match(
    reason(parsePgbench(`${pgbench(0, '50')}Run was aborted; the above results are incomplete.\n`)),
    /aborted/,
  );
  assert.match(reason(parsePgbench(pgbench(0, '0.000000'))), /no transactions a second \(0\)/);
  assert.match(reason(parsePgbench(pgbench(0, '1.2.3'))), /no transactions a second/);
  assert.match(reason(parsePgbench('bash: su: command not found\n')), /no result: bash: su/);
});

const stressNg = (row: string): string => `stress-ng: info:  [319] dispatching hogs: 2 context
stress-ng: metrc: [319] stressor       bogo ops real time  usr time  sys time   bogo ops/s     bogo ops/s
stress-ng: metrc: [319]                           (secs)    (secs)    (secs)   (real time) (usr+sys time)
${row}
stress-ng: metrc: [319] miscellaneous metrics:
stress-ng: metrc: [319] context           289965.94 swapcontext calls per sec (geometic mean of 2 instances)
stress-ng: info:  [319] successful run completed in 3.02s
`;
const contextRow =
  'stress-ng: metrc: [319] context            1498      3.00      3.75      2.24       499.72         250.27';

test("stress-ng's metrics have operations a second of real time", () => {
  assert.deepEqual(parseStressNg(stressNg(contextRow), 'context'), { ok: true, value: 499.72 });
});

test('stress-ng that skipped, failed, did nothing or ran something else gives a reason', () => {
  assert.match(reason(parseStressNg(stressNg(contextRow), 'pipe')), /no metrics of pipe/);
  assert.match(reason(parseStressNg("stress-ng: unrecognized option '--x'\n", 'x')), /unrecognized option/);
  assert.match(reason(parseStressNg(stressNg(contextRow.replace('499.72', '0.00')), 'context')), /no operations/);
  const failed = `stress-ng: fail:  [320] context: swapcontext failed\n${stressNg(contextRow)}`;
  assert.match(reason(parseStressNg(failed, 'context')), /swapcontext failed/);
  const skipped = `${stressNg(contextRow)}stress-ng: info:  [319] skipped: 2: context (2)\n`;
  assert.match(reason(parseStressNg(skipped, 'context')), /skipped: 2/);
});
