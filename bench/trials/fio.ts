/** What fio measured, from its report in JSON (fio(1), "JSON OUTPUT"). */
import { fail, ok, type Result } from '../../src/support/result.ts';
import { field, parseReport, positive } from './json-report.ts';

export interface FioResult {
  readonly bytesPerSecond: number;
  readonly operationsPerSecond: number;
}

/** @param output of `fio --output-format=json` with one job */
export function parseFio(output: string, direction: 'read' | 'write'): Result<FioResult> {
  const report = parseReport('fio', output);
  if (!report.ok) return report;
  const job = field(report.value, 'jobs', 0);
  const error = field(job, 'error');
  if (error !== 0) return fail('tool', `fio reports ${error === undefined ? 'no job' : `error ${String(error)}`}`);
  const bytesPerSecond = positive('fio', field(job, direction, 'bw_bytes'), `bytes a second of ${direction}s`);
  if (!bytesPerSecond.ok) return bytesPerSecond;
  const operations = positive('fio', field(job, direction, 'iops'), `operations a second of ${direction}s`);
  if (!operations.ok) return operations;
  return ok({ bytesPerSecond: bytesPerSecond.value, operationsPerSecond: operations.value });
}
