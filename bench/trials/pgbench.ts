/** What pgbench measured, from the summary that it prints. */
import { fail, type Result } from '../../src/support/result.ts';
import { positive, quote } from './json-report.ts';

/** @returns transactions a second, without the time that connecting took */
export function parsePgbench(output: string): Result<number> {
  const aborted = /^pgbench: (?:error|fatal): .*|^Run was aborted.*/m.exec(output)?.[0];
  if (aborted !== undefined) return fail('tool', aborted.slice(0, 200));
  const failed = /^number of failed transactions: (\d+)/m.exec(output)?.[1];
  if (failed !== undefined && Number(failed) > 0) return fail('tool', `pgbench: ${failed} transactions failed`);
  const tps = /^tps = ([0-9.]+)(?: |$)/m.exec(output)?.[1];
  if (tps === undefined) return fail('tool', `pgbench printed no result${quote(output)}`);
  return positive('pgbench', Number(tps), 'transactions a second');
}
