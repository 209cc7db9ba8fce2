/** A 9P client for tests: requests and replies as values. */
import assert from 'node:assert/strict';
import { ninepError, ninepMessages, ninepNoFid, ninepNoTag, ninepVersion } from '../../spec/ninep.ts';
import { ok } from '../../support/result.ts';
import { type Outcome, refuse } from '../file-tree.ts';
import {
  decodeFields,
  decodeHeader,
  encodeMessage,
  type Layout,
  type Operation,
  type ReplyOf,
  type RequestOf,
  type ValuesOf,
} from '../message.ts';
import type { NinepSession } from '../session.ts';

export interface ReaddirEntry {
  readonly type: number;
  readonly name: string;
  readonly offset: bigint;
  readonly path: bigint;
}

export class NinepClient {
  readonly #session: Pick<NinepSession, 'handle'>;
  readonly #room: number;
  #lastTag = 0;

  constructor(session: Pick<NinepSession, 'handle'>, room = 1 << 20) {
    this.#session = session;
    this.#room = room;
  }

  /** The raw reply to any bytes. */
  send(message: Uint8Array, room = this.#room): Promise<Uint8Array> {
    return this.#session.handle(message, room);
  }

  async call<O extends Operation>(
    operation: O,
    request: RequestOf<O>,
    tag = this.nextTag(),
  ): Promise<Outcome<ReplyOf<O>>> {
    return decodeReply(operation, tag, await this.send(encodeRequest(operation, tag, request)));
  }

  nextTag(): number {
    this.#lastTag = (this.#lastTag + 1) % ninepNoTag;
    return this.#lastTag;
  }

  /** The reply; an error fails the test. */
  async expect<O extends Operation>(operation: O, request: RequestOf<O>): Promise<ReplyOf<O>> {
    const reply = await this.call(operation, request);
    assert.ok(reply.ok, `${operation} fails with ${reply.ok ? 0 : reply.error}`);
    return reply.value;
  }

  /** The error number of a request that has to fail. */
  async error<O extends Operation>(operation: O, request: RequestOf<O>): Promise<number> {
    const reply = await this.call(operation, request);
    assert.ok(!reply.ok, `${operation} succeeds`);
    return reply.error;
  }

  async begin(msize = 131_096): Promise<void> {
    const reply = await this.call('version', { msize, version: ninepVersion }, ninepNoTag);
    assert.ok(reply.ok);
    assert.equal(reply.value.version, ninepVersion);
    await this.expect('attach', { fid: 0, authFid: ninepNoFid, userName: 'root', treeName: '', userId: 0 });
  }

  /** Gives `newFid` to what `path` leads to from fid 0. */
  async walk(newFid: number, path = ''): Promise<void> {
    const names = path === '' ? [] : path.split('/');
    const { qids } = await this.expect('walk', { fid: 0, newFid, names });
    assert.equal(qids.length, names.length, `${path} is there`);
  }

  /** Everything in the directory that `fid` was opened for, `.` and `..` among it. */
  async list(fid: number, count = 65_536): Promise<ReaddirEntry[]> {
    const entries: ReaddirEntry[] = [];
    for (let offset = 0n; ; ) {
      const { data } = await this.expect('readdir', { fid, offset, count });
      if (data.length === 0) return entries;
      const batch = decodeEntries(data);
      entries.push(...batch);
      offset = batch.at(-1)?.offset as bigint;
    }
  }
}

export function encodeRequest<O extends Operation>(operation: O, tag: number, request: RequestOf<O>): Uint8Array {
  const { type, request: layout } = ninepMessages[operation];
  return encodeMessage<Layout>(type, tag, layout, request as ValuesOf<Layout>);
}

export function decodeReply<O extends Operation>(operation: O, tag: number, message: Uint8Array): Outcome<ReplyOf<O>> {
  const header = decodeHeader(message);
  assert.ok(header !== undefined);
  assert.equal(header.sizeBytes, message.length);
  assert.equal(header.tag, tag);
  if (header.type === ninepError.type) {
    const error = decodeFields(ninepError.reply, message);
    assert.ok(error !== undefined && error.errno > 0);
    return refuse(error.errno);
  }
  assert.equal(header.type, ninepMessages[operation].type + 1);
  const fields = decodeFields<Layout>(ninepMessages[operation].reply, message);
  assert.ok(fields !== undefined, 'the reply has the fields of its layout');
  return ok(fields as ReplyOf<O>);
}

function decodeEntries(data: Uint8Array): ReaddirEntry[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const entries: ReaddirEntry[] = [];
  for (let at = 0; at < data.length; ) {
    const length = view.getUint16(at + 22, true);
    const name = String.fromCharCode(...data.subarray(at + 24, at + 24 + length));
    const path = view.getBigUint64(at + 5, true);
    entries.push({ type: view.getUint8(at + 21), name, offset: view.getBigUint64(at + 13, true), path });
    at += 24 + length;
  }
  return entries;
}
