/** What `--disk` takes: `FILE[,format=NAME][,readonly][,snapshot][,iops=N][,bps=SIZE]`. */
import { fail, ok, type Result } from '../support/result.ts';
import { parseByteSize } from './byte-size.ts';
import { splitAtCommas } from './comma-list.ts';

export interface DiskSpec {
  /** A path, or the name of a source like `nbd://host/export`. */
  readonly file: string;
  readonly format: string | undefined;
  readonly readOnly: boolean;
  /** What the guest writes is gone when it ends. */
  readonly snapshot: boolean;
  /** Requests a second. */
  readonly iops: number | undefined;
  /** Bytes a second. */
  readonly bps: number | undefined;
}

const known = ['format', 'readonly', 'snapshot', 'iops', 'bps'] as const;
type Key = (typeof known)[number];

/** Commas within values are doubled, as QEMU has it. */
export function parseDiskSpec(text: string): Result<DiskSpec> {
  const [file = '', ...settings] = splitAtCommas(text);
  if (file === '') return usage(text, 'it begins with the name of the image');
  const values = new Map<string, string>();
  for (const setting of settings) {
    const [, key = '', value] = /^([^=]*)(?:=(.*))?$/s.exec(setting) ?? [];
    if (!known.includes(key as Key)) {
      return usage(text, `"${key}" is none of ${known.join(', ')} (commas in the name are doubled)`);
    }
    if (values.has(key)) return usage(text, `${key} is there twice`);
    values.set(key, value ?? 'on');
  }
  const readOnly = parseSwitch(values.get('readonly'));
  const snapshot = parseSwitch(values.get('snapshot'));
  if (readOnly === undefined) return usage(text, 'readonly is on or off');
  if (snapshot === undefined) return usage(text, 'snapshot is on or off');
  const iops = values.get('iops');
  const bps = values.get('bps');
  const operations = iops === undefined ? undefined : /^[1-9][0-9]{0,8}$/.test(iops) ? Number(iops) : 0;
  const bytes = bps === undefined ? undefined : (parseByteSize(bps) ?? 0);
  if (operations === 0) return usage(text, 'iops is a number of requests a second');
  if (bytes === 0) return usage(text, 'bps is a number of bytes a second, like 50M');
  const format = values.get('format');
  if (format === 'on' || format === '') return usage(text, 'format is the name of a format, like format=raw');
  return ok({ file, format, readOnly, snapshot, iops: operations, bps: bytes });
}

function usage(text: string, what: string): Result<never> {
  return fail('usage', `--disk ${text} cannot be understood: ${what}.`);
}

function parseSwitch(value: string | undefined): boolean | undefined {
  if (value === undefined || value === 'off') return false;
  return value === 'on' ? true : undefined;
}
