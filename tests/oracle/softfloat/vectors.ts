/**
 * Cases recorded on an Intel CPU, so that other hosts can replay them. `vectors/softfloat.br`, brotli-compressed: a line of
 * JSON naming the operations and their numbers of cases, then all requests, then all replies (layouts: `harness.c`).
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import {
  decodeReplies,
  decodeRequests,
  encodeRequests,
  type OracleReply,
  type OracleRequest,
  replySize,
  requestSize,
} from './records.ts';

const path = join(import.meta.dirname, 'vectors', 'softfloat.br');

export interface Vector {
  readonly operation: string;
  readonly requests: readonly OracleRequest[];
  readonly replies: readonly OracleReply[];
}

/** One operation's cases; the replies as the harness wrote them. */
interface Recording {
  readonly operation: string;
  readonly requests: readonly OracleRequest[];
  readonly replies: Uint8Array;
}

/** @returns the size of the written file in bytes */
export function writeVectors(recordings: readonly Recording[]): number {
  const header = recordings.map(({ operation, requests }) => [operation, requests.length]);
  const parts = [
    new TextEncoder().encode(`${JSON.stringify(header)}\n`),
    ...recordings.map(({ requests }) => encodeRequests(0, requests)),
    ...recordings.map(({ replies }) => replies),
  ];
  const raw = Buffer.concat(parts);
  const compressed = brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } });
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, compressed);
  return compressed.length;
}

export function readVectors(): Vector[] {
  const raw = brotliDecompressSync(readFileSync(path));
  const headerEnd = raw.indexOf(10) + 1;
  const header = JSON.parse(raw.subarray(0, headerEnd).toString()) as [string, number][];
  const total = header.reduce((sum, [, count]) => sum + count, 0);
  const requests = decodeRequests(raw.subarray(headerEnd, headerEnd + total * requestSize));
  const replies = decodeReplies(raw.subarray(headerEnd + total * requestSize));
  if (replies.length * replySize + total * requestSize + headerEnd !== raw.length || replies.length !== total) {
    throw new Error(`${path} is damaged`);
  }
  let start = 0;
  return header.map(([operation, count]) => {
    const range = [start, start + count] as const;
    start += count;
    return { operation, requests: requests.slice(...range), replies: replies.slice(...range) };
  });
}
