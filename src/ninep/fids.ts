/** Fids: the client's names for files it has found. */
import { linuxErrno } from '../spec/linux-errno.ts';
import { ok } from '../support/result.ts';
import { type FileNode, type FileTree, type OpenDirectory, type OpenFile, type Outcome, refuse } from './file-tree.ts';
import type { Qid } from './message.ts';

export type Opened =
  | { readonly kind: 'file'; readonly file: OpenFile }
  | { readonly kind: 'directory'; readonly directory: OpenDirectory }
  /** The list of extended attributes, which is always empty. */
  | { readonly kind: 'attribute-list' };

export interface Fid {
  readonly node: FileNode;
  readonly qid: Qid;
  /** `opening`: a request is at it. */
  opened: Opened | 'opening' | undefined;
}

interface Entry extends Fid {
  /** Requests that work with it now; what it stands for is given back after the last of them. */
  uses: number;
  /** Since it was removed: resolves when it is given back. */
  gone: PromiseWithResolvers<Outcome<void>> | undefined;
}

/** Enough for a client that caches a tree of a hundred thousand files; each takes some hundred bytes. */
const mostFids = 131_072;

export class FidTable {
  readonly #tree: FileTree;
  readonly #entries = new Map<number, Entry>();

  constructor(tree: FileTree) {
    this.#tree = tree;
  }

  /** Runs `work` with what `number` stands for; a clunk meanwhile waits for it. EBADF if it stands for nothing. */
  async use<T>(number: number, work: (fid: Fid) => Promise<Outcome<T>>): Promise<Outcome<T>> {
    const entry = this.#entries.get(number);
    if (entry === undefined) return refuse(linuxErrno.EBADF);
    entry.uses++;
    const outcome = await work(entry);
    entry.uses--;
    if (entry.gone !== undefined && entry.uses === 0) await this.#giveBack(entry);
    return outcome;
  }

  /** Takes over the caller's hold on `node` and `opened`, also when it fails. */
  async add(number: number, node: FileNode, qid: Qid, opened?: Opened): Promise<Outcome<void>> {
    const entry = newEntry(node, qid, opened);
    const taken = this.#entries.has(number);
    if (taken || this.#entries.size >= mostFids) {
      await this.#giveBack(entry);
      return refuse(taken ? linuxErrno.EINVAL : linuxErrno.ENFILE);
    }
    this.#entries.set(number, entry);
    return ok(undefined);
  }

  /** What `number` stood for becomes `node`. Takes over the caller's hold on it; what was there before is given back. */
  replace(number: number, node: FileNode, qid: Qid, opened?: Opened): Promise<Outcome<void>> {
    void this.remove(number);
    return this.add(number, node, qid, opened);
  }

  has(number: number): boolean {
    return this.#entries.has(number);
  }

  /** Resolves when nobody uses it any more and its file is closed; with the error of closing, if there was one. */
  remove(number: number): Promise<Outcome<void>> {
    const entry = this.#entries.get(number);
    if (entry === undefined) return Promise.resolve(refuse(linuxErrno.EBADF));
    this.#entries.delete(number);
    entry.gone = Promise.withResolvers<Outcome<void>>();
    if (entry.uses === 0) void this.#giveBack(entry);
    return entry.gone.promise;
  }

  async clear(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((number) => this.remove(number)));
  }

  async #giveBack(entry: Entry): Promise<void> {
    const closed = await close(entry.opened);
    this.#tree.release(entry.node);
    entry.gone?.resolve(closed);
  }
}

function newEntry(node: FileNode, qid: Qid, opened: Opened | undefined): Entry {
  return { node, qid, opened, uses: 0, gone: undefined };
}

async function close(opened: Fid['opened']): Promise<Outcome<void>> {
  if (opened === undefined || opened === 'opening') return ok(undefined);
  if (opened.kind === 'file') return opened.file.close();
  return opened.kind === 'directory' ? opened.directory.close() : ok(undefined);
}
