/** What a monitor tells the others of its virtual machine: a line of JSON of fixed length, written over and over. */

/** What the user asked for. In cores. */
export interface ProcessorShare {
  /** Against those of other virtual machines. */
  readonly shares: number;
  readonly reserve: number;
  readonly limit: number | undefined;
}

export interface ShareRecord extends ProcessorShare {
  readonly pid: number;
  /** As process-identity.ts has it. */
  readonly started: string;
  /** Of the clock that all processes of a host share. */
  readonly atNs: number;
  /** Processor time of the whole process. */
  readonly usedNs: number;
  /** Cores that it could have used lately. */
  readonly demand: number;
  /** One of its processors at least never halts. */
  readonly isEager: boolean;
}

export const recordBytes = 512;
const version = 1;

export const fewestShares = 2;
export const mostShares = 262_144;
const mostCores = 4096;
const maxStartedLength = 128;

/** A reader may meet a record half written: both ends then differ. */
export function encodeRecord(record: ShareRecord, turn: number): string {
  const { limit, ...rest } = record;
  return `${JSON.stringify({ turn, version, ...rest, limit: limit ?? null, end: turn })}\n`.padEnd(recordBytes, ' ');
}

/** @returns undefined for what is no record: another version's, half written, or anybody's garbage */
export function decodeRecord(text: string): ShareRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Record<string, unknown>;
  const { pid, started, atNs, usedNs, demand, isEager, shares, reserve, limit } = fields;
  if (fields.version !== version || fields.turn !== fields.end) return undefined;
  if (typeof started !== 'string' || started.length > maxStartedLength) return undefined;
  if (!isWithin(pid, 1, 2 ** 31) || !isWithin(atNs, 0, Number.MAX_SAFE_INTEGER)) return undefined;
  if (!isWithin(usedNs, 0, Number.MAX_SAFE_INTEGER) || !isWithin(demand, 0, mostCores)) return undefined;
  if (typeof isEager !== 'boolean') return undefined;
  if (!isWithin(shares, fewestShares, mostShares) || !isWithin(reserve, 0, mostCores)) return undefined;
  if (limit !== null && !isWithin(limit, 0, mostCores)) return undefined;
  return { pid, started, atNs, usedNs, demand, isEager, shares, reserve, limit: limit ?? undefined };
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most;
}
