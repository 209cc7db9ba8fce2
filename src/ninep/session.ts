/** A client's session: requests in, replies out, several at a time. Whatever a client sends, it gets a reply. */
import { linuxErrno } from '../spec/linux-errno.ts';
import { ninepError, ninepMessages, ninepNoTag, ninepUnknownVersion, ninepVersion } from '../spec/ninep.ts';
import * as attributeRequests from './attribute-requests.ts';
import type { Context, Handler, ShareOptions } from './context.ts';
import { FidTable } from './fids.ts';
import { type FileTree, type Outcome, refuse } from './file-tree.ts';
import * as ioRequests from './io-requests.ts';
import {
  decodeFields,
  decodeHeader,
  encodeMessage,
  type Layout,
  type Operation,
  type ReplyOf,
  type RequestOf,
  type ValuesOf,
} from './message.ts';
import { QidSpace } from './qid.ts';
import { readdir } from './readdir.ts';
import * as treeRequests from './tree-requests.ts';
import * as walkRequests from './walk-requests.ts';

/** Linux over virtio asks for at most 500 KiB. */
const largestMessageBytes = 1_048_576;
const smallestMessageBytes = 4096;
/** Requests that are being worked on at the same time; more wait, and can be flushed while they do. */
const mostRunning = 32;

type FileOperation = Exclude<Operation, 'version' | 'flush'>;

const handlers: { readonly [O in FileOperation]: Handler<O> } = {
  ...walkRequests,
  ...attributeRequests,
  ...treeRequests,
  ...ioRequests,
  readdir,
};

const operations = new Map<number, Operation>(
  (Object.keys(ninepMessages) as Operation[]).map((operation) => [ninepMessages[operation].type, operation]),
);

interface Pending {
  /** Set while it waits for its turn; called with false, it never gets it. */
  start: ((run: boolean) => void) | undefined;
  readonly done: PromiseWithResolvers<void>;
}

export class NinepSession {
  readonly #context: { -readonly [K in keyof Context]: Context[K] };
  readonly #pending = new Map<number, Pending>();
  readonly #waiting: Pending[] = [];
  #running = 0;
  /** 0 before a version was agreed on. */
  #msize = 0;

  constructor(tree: FileTree, options: ShareOptions) {
    this.#context = { tree, options, fids: new FidTable(tree), qids: new QidSpace(), msize: 0 };
  }

  /**
   * @param request one message, unchanged until the promise resolves
   * @param room how many bytes the reply may have, at least 11
   * @returns the reply; the promise never rejects
   */
  async handle(request: Uint8Array, room: number): Promise<Uint8Array> {
    const header = decodeHeader(request);
    if (header === undefined) return errorReply(ninepNoTag, linuxErrno.EINVAL);
    const { type, tag } = header;
    const operation = operations.get(type);
    if (operation === undefined) return errorReply(tag, linuxErrno.EOPNOTSUPP);
    if (header.sizeBytes !== request.length) return errorReply(tag, linuxErrno.EINVAL);
    if (operation === 'version') return this.#version(request, tag);
    if (this.#msize === 0) return errorReply(tag, linuxErrno.EINVAL);
    if (request.length > this.#msize) return errorReply(tag, linuxErrno.EMSGSIZE);
    if (operation === 'flush') return this.#flush(request, tag);
    return this.#inTurn(tag, () => this.#perform(operation, request, tag, Math.min(room, this.#msize)));
  }

  /** Ends the session: requests that wait are refused, those under way finish, all files are closed. */
  async reset(): Promise<void> {
    this.#msize = 0;
    const underWay = [...this.#pending.values()];
    for (const pending of this.#waiting.splice(0)) pending.start?.(false);
    await Promise.all(underWay.map((pending) => pending.done.promise));
    await this.#context.fids.clear();
  }

  async #version(request: Uint8Array, tag: number): Promise<Uint8Array> {
    const { type, request: layout, reply } = ninepMessages.version;
    const fields = decodeFields(layout, request);
    if (fields === undefined) return errorReply(tag, linuxErrno.EINVAL);
    if (fields.msize < smallestMessageBytes) return errorReply(tag, linuxErrno.EMSGSIZE);
    await this.reset();
    const msize = Math.min(fields.msize, largestMessageBytes);
    const known = fields.version === ninepVersion;
    if (known) {
      this.#msize = msize;
      this.#context.msize = msize;
    }
    return encodeMessage(type + 1, tag, reply, { msize, version: known ? ninepVersion : ninepUnknownVersion });
  }

  /** A request that waits is refused; one that is under way is waited for. Its reply comes first in both cases. */
  async #flush(request: Uint8Array, tag: number): Promise<Uint8Array> {
    const { type, request: layout, reply } = ninepMessages.flush;
    const fields = decodeFields(layout, request);
    if (fields === undefined) return errorReply(tag, linuxErrno.EINVAL);
    const old = this.#pending.get(fields.oldTag);
    if (old?.start !== undefined) {
      this.#waiting.splice(this.#waiting.indexOf(old), 1);
      old.start(false);
    }
    await old?.done.promise;
    return encodeMessage(type + 1, tag, reply, {});
  }

  async #inTurn(tag: number, perform: () => Promise<Uint8Array>): Promise<Uint8Array> {
    if (this.#pending.has(tag)) return errorReply(tag, linuxErrno.EINVAL);
    const pending: Pending = { start: undefined, done: Promise.withResolvers<void>() };
    this.#pending.set(tag, pending);
    const reply = (await this.#turn(pending)) ? await perform() : errorReply(tag, linuxErrno.EINTR);
    this.#pending.delete(tag);
    // After the caller has seen the reply: a flush that waits for this request must be answered later than it.
    void Promise.resolve().then(pending.done.resolve);
    return reply;
  }

  /** @returns false when it was flushed before its turn came */
  async #turn(pending: Pending): Promise<boolean> {
    if (this.#running >= mostRunning) {
      const run = await new Promise<boolean>((start) => {
        pending.start = start;
        this.#waiting.push(pending);
      });
      pending.start = undefined;
      return run;
    }
    this.#running++;
    return true;
  }

  /** Hands the place of a request that has ended to the next one. */
  #endTurn(): void {
    const next = this.#waiting.shift();
    if (next?.start === undefined) this.#running--;
    else next.start(true);
  }

  async #perform(operation: FileOperation, request: Uint8Array, tag: number, room: number): Promise<Uint8Array> {
    const { type, request: layout, reply } = ninepMessages[operation];
    const fields = decodeFields<Layout>(layout, request);
    const outcome = fields === undefined ? refuse(linuxErrno.EINVAL) : await this.#call(operation, fields, room);
    this.#endTurn();
    if (!outcome.ok) return errorReply(tag, outcome.error);
    const message = encodeMessage<Layout>(type + 1, tag, reply, outcome.value as ValuesOf<Layout>);
    return message.length <= room ? message : errorReply(tag, linuxErrno.EMSGSIZE);
  }

  #call<O extends FileOperation>(operation: O, fields: ValuesOf<Layout>, room: number): Promise<Outcome<ReplyOf<O>>> {
    const handler: Handler<O> = handlers[operation];
    return handler(this.#context, fields as RequestOf<O>, room);
  }
}

function errorReply(tag: number, errno: number): Uint8Array {
  return encodeMessage(ninepError.type, tag, ninepError.reply, { errno });
}
