/**
 * What is written about a virtual machine into its state folder, as JSON with a version. What is read was perhaps
 * written by another version, cut short by a full disk, or edited: it is checked field by field.
 */
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../../support/result.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { privateFileMode } from './vm-folders.ts';

/** What the virtual machine is. */
export interface VmDefinition {
  readonly name: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** The command line behind `corbel run`, and the folder that its paths start from. */
  readonly arguments: readonly string[];
  readonly folder: string;
  /** What it boots, for people. */
  readonly boots: string;
  readonly memoryBytes: number;
  readonly detached: boolean;
}

/** The process that runs it, or ran it last. */
export interface VmProcess extends ProcessIdentity {
  /** ISO 8601. */
  readonly startedAt: string;
  /** Where its sockets are: another shell may have another runtime folder. */
  readonly socketsFolder: string;
}

/** How it ended. */
export interface VmOutcome {
  /** One word for programs: power-off, command, guest-died … */
  readonly kind: string;
  /** The exit status of its process. */
  readonly status: number;
  /** For people. */
  readonly summary: string;
  /** ISO 8601. */
  readonly endedAt: string;
}

export interface VmRecords {
  readonly definition: VmDefinition;
  readonly process: VmProcess;
  readonly outcome: VmOutcome;
}

type Fields<T> = { readonly [K in keyof Required<T>]: (value: unknown) => boolean };

const version = 1;
/** Command lines are bounded by the operating system, which gives them a few megabytes. */
const maxRecordBytes = 8 << 20;

const isText = (value: unknown): boolean => typeof value === 'string';
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isTime = (value: unknown): boolean => typeof value === 'string' && !Number.isNaN(Date.parse(value));

const fieldsOf: { readonly [K in keyof VmRecords]: Fields<VmRecords[K]> } = {
  definition: {
    name: isText,
    createdAt: isTime,
    arguments: (value) => Array.isArray(value) && value.every(isText),
    folder: isText,
    boots: isText,
    memoryBytes: isCount,
    detached: (value) => typeof value === 'boolean',
  },
  process: { pid: (value) => isCount(value) && value !== 0, started: isText, startedAt: isTime, socketsFolder: isText },
  outcome: { kind: isText, status: isCount, summary: isText, endedAt: isTime },
};

export function recordFile(folder: string, name: keyof VmRecords): string {
  return join(folder, `${name}.json`);
}

/** Writes a record, which appears whole or not at all. Throws what the file system throws. */
export function writeRecord<K extends keyof VmRecords>(folder: string, name: K, record: VmRecords[K]): void {
  const file = recordFile(folder, name);
  const unfinished = `${file}.${process.pid}`;
  writeFileSync(unfinished, `${JSON.stringify({ version, ...record }, null, 2)}\n`, { mode: privateFileMode });
  renameSync(unfinished, file);
}

/** @returns undefined when there is no such record */
export function readRecord<K extends keyof VmRecords>(folder: string, name: K): Result<VmRecords[K] | undefined> {
  const file = recordFile(folder, name);
  let text: string;
  try {
    const status = statSync(file);
    if (!status.isFile() || status.size > maxRecordBytes) return fail('input', `${file} is damaged: it is no record.`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? ok(undefined) : fail('input', `${file}: ${message}.`);
  }
  return parseRecord(file, name, text);
}

function parseRecord<K extends keyof VmRecords>(file: string, name: K, text: string): Result<VmRecords[K]> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail('input', `${file} is damaged: it is not JSON.`);
  }
  if (typeof value !== 'object' || value === null) return fail('input', `${file} is damaged: it is no object.`);
  const record = value as Record<string, unknown>;
  if (record.version !== version) return fail('input', `${file} is of another version of corbel.`);
  const fields = Object.entries(fieldsOf[name] as Fields<Record<string, unknown>>);
  const wrong = fields.find(([field, check]) => !Object.hasOwn(record, field) || !check(record[field]));
  if (wrong !== undefined) return fail('input', `${file} is damaged: ${wrong[0]} is wrong.`);
  return ok(Object.fromEntries(fields.map(([field]) => [field, record[field]])) as unknown as VmRecords[K]);
}
