/** What iperf3 measured, from its report in JSON. */
import { fail, type Result } from '../../src/support/result.ts';
import { field, parseReport, positive } from './json-report.ts';

/** @param output of `iperf3 --json` @returns bits a second that arrived, whichever end sent them */
export function parseIperf3(output: string): Result<number> {
  const report = parseReport('iperf3', output);
  if (!report.ok) return report;
  const error = field(report.value, 'error');
  if (error !== undefined) return fail('tool', `iperf3: ${String(error).slice(0, 200)}`);
  const rate = field(report.value, 'end', 'sum_received', 'bits_per_second');
  return positive('iperf3', rate, 'bits a second received');
}
