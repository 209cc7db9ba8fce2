/** What stress-ng measured, from the table of `--metrics-brief`. */
import { fail, type Result } from '../../src/support/result.ts';
import { positive, quote } from './json-report.ts';

/**
 * A row: stressor, operations, real, user and system time in seconds, operations a second of real time, of processor
 * time. Source: stress-ng(1), "--metrics".
 */
const row = /\] (\S+) +(\d+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)\s*$/;

/** @returns operations a second of real time, of all workers together */
export function parseStressNg(output: string, stressor: string): Result<number> {
  const lines = output.split('\n');
  const wrong = lines.find((line) => /^stress-ng: (fail|error):/.test(line) || /\bskipped: [1-9]/.test(line));
  if (wrong !== undefined) return fail('tool', wrong.trim().slice(0, 200));
  const found = lines.map((line) => row.exec(line)).find((match) => match?.[1] === stressor);
  if (found === undefined || found === null) {
    return fail('tool', `stress-ng printed no metrics of ${stressor}${quote(output)}`);
  }
  return positive('stress-ng', Number(found[6]), `operations a second of ${stressor}`);
}
