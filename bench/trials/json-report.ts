/** Reports in JSON that programs of a guest print: whatever they hold, the outcome is a number or a reason. */
import { fail, ok, type Result } from '../../src/support/result.ts';

/** The object that `output` ends with; programs put notes before it. */
export function parseReport(program: string, output: string): Result<object> {
  const start = /^\{/m.exec(output)?.index;
  if (start === undefined) return fail('tool', `${program} printed no report${quote(output)}`);
  try {
    return ok(JSON.parse(output.slice(start)) as object);
  } catch {
    return fail('tool', `${program} printed a report that is torn or no JSON`);
  }
}

/** What lies at a path of keys and indices; undefined where there is nothing. */
export function field(value: unknown, ...path: readonly (string | number)[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string | number, unknown>)[key];
  }
  return at;
}

/** Takes a measured value only if it is one: a number above zero. */
export function positive(program: string, value: unknown, what: string): Result<number> {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return ok(value);
  const found = value === undefined ? 'none' : JSON.stringify(value)?.slice(0, 40);
  return fail('tool', `${program} reports no ${what} (${found})`);
}

/** The last line of an output, to be put behind a reason. */
export function quote(output: string): string {
  const last = output.trim().split('\n').at(-1)?.trim().slice(0, 200) ?? '';
  return last === '' ? '' : `: ${last}`;
}
