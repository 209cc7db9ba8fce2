/** Takes an archive apart that somebody else made, as it comes. Nothing in it is believed. */
import { tarBlockBytes, tarType } from '../../../../spec/tar.ts';
import { fail, ok, type Result } from '../../../../support/result.ts';
import { decodeHeader, padded, type TarMember } from './tar-header.ts';

/** What a reader of archives does with a member. All of it is called in order, each after the one before resolved. */
export interface TarSink {
  /** The member's content follows, if it has any. */
  begin(member: TarMember): Promise<Result<void>>;
  content(bytes: Uint8Array): Promise<Result<void>>;
  end(): Promise<Result<void>>;
}

/** Names and extended headers are collected in memory. */
const longestRecordBytes = 1_048_576;

export class TarReader {
  readonly #sink: TarSink;
  #block: Buffer = Buffer.alloc(0);
  /** Bytes of the current member's content, and of the filling after it, that are still to come. */
  #content = 0;
  #filling = 0;
  /** Collects the content of a member that is about the next one. */
  #record: { readonly type: string; pieces: Buffer[] } | undefined;
  #overrides: Partial<TarMember> = {};
  #atEnd = false;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Whether the archive was complete. */
  get atEnd(): boolean {
    return this.#atEnd;
  }

  /** The next bytes of the archive. Errors: kind `archive`, and those of the sink. */
  async push(bytes: Uint8Array): Promise<Result<void>> {
    for (let at = 0; at < bytes.length && !this.#atEnd; ) {
      const rest = bytes.subarray(at);
      if (this.#content > 0) {
        const piece = rest.subarray(0, this.#content);
        at += piece.length;
        this.#content -= piece.length;
        const taken = await this.#takeContent(piece);
        if (!taken.ok) return taken;
      } else if (this.#filling > 0) {
        const skipped = Math.min(rest.length, this.#filling);
        at += skipped;
        this.#filling -= skipped;
      } else {
        const piece = rest.subarray(0, tarBlockBytes - this.#block.length);
        at += piece.length;
        this.#block = Buffer.concat([this.#block, piece]);
        if (this.#block.length < tarBlockBytes) continue;
        const header = await this.#takeHeader(this.#block);
        this.#block = Buffer.alloc(0);
        if (!header.ok) return header;
      }
    }
    return ok(undefined);
  }

  async #takeHeader(block: Buffer): Promise<Result<void>> {
    const decoded = decodeHeader(block);
    if (!decoded.ok) return decoded;
    if (decoded.value === undefined) {
      this.#atEnd = true;
      return ok(undefined);
    }
    const { type } = decoded.value;
    const about = [tarType.longName, tarType.longLinkName, tarType.extended, tarType.globalExtended].some(
      (special) => special === type,
    );
    const member: TarMember = about ? decoded.value : { ...decoded.value, ...this.#overrides };
    this.#content = hasContent(type) || about ? member.sizeBytes : 0;
    this.#filling = padded(this.#content) - this.#content;
    if (about) {
      if (this.#content > longestRecordBytes) return fail('archive', 'a name is too long');
      this.#record = { type, pieces: [] };
      return this.#content === 0 ? this.#endContent() : ok(undefined);
    }
    this.#overrides = {};
    const begun = await this.#sink.begin(member);
    return begun.ok && this.#content === 0 ? this.#endContent() : begun;
  }

  async #takeContent(piece: Uint8Array): Promise<Result<void>> {
    if (this.#record !== undefined) this.#record.pieces.push(Buffer.from(piece));
    else {
      const taken = await this.#sink.content(piece);
      if (!taken.ok) return taken;
    }
    return this.#content === 0 ? this.#endContent() : ok(undefined);
  }

  #endContent(): Promise<Result<void>> {
    const record = this.#record;
    this.#record = undefined;
    if (record === undefined) return this.#sink.end();
    const content = Buffer.concat(record.pieces).toString('latin1');
    return Promise.resolve(this.#takeRecord(record.type, content));
  }

  #takeRecord(type: string, content: string): Result<void> {
    const name = content.replace(/\0.*$/s, '');
    if (type === tarType.longName) this.#overrides = { ...this.#overrides, name };
    if (type === tarType.longLinkName) this.#overrides = { ...this.#overrides, linkName: name };
    return type === tarType.extended ? this.#takeExtended(content) : ok(undefined);
  }

  /** Records of "length keyword=value\n"; keywords that nobody here knows are left alone. */
  #takeExtended(content: string): Result<void> {
    for (let at = 0; at < content.length; ) {
      const [head, length] = /^([0-9]{1,8}) /.exec(content.slice(at, at + 10)) ?? [];
      const end = at + Number(length);
      const record = content.slice(at + (head?.length ?? 0), end - 1);
      const equals = record.indexOf('=');
      if (head === undefined || equals < 0 || end > content.length || content[end - 1] !== '\n') {
        return fail('archive', 'an extended header is malformed');
      }
      const value = record.slice(equals + 1);
      const number = Number(value);
      const keyword = record.slice(0, equals);
      if (keyword === 'path') this.#overrides = { ...this.#overrides, name: value };
      if (keyword === 'linkpath') this.#overrides = { ...this.#overrides, linkName: value };
      if (keyword === 'mtime' && Number.isFinite(number))
        this.#overrides = { ...this.#overrides, modifySeconds: number };
      if (keyword === 'size') {
        if (!/^[0-9]{1,15}$/.test(value)) return fail('archive', 'an extended header is malformed');
        this.#overrides = { ...this.#overrides, sizeBytes: number };
      }
      at = end;
    }
    return ok(undefined);
  }
}

/** Links, devices and directories have none, whatever their size says. */
function hasContent(type: string): boolean {
  return !(['1', '2', '3', '4', '5', '6'] as const).some((empty) => empty === type);
}
