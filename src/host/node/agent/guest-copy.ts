/** Copies files and folders between this host and a guest, as archives that tar(1) in the guest takes and gives. */
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import type { Duplex } from 'node:stream';
import { fail, ok, type Result } from '../../../support/result.ts';
import { AgentRequest, type RequestStreams } from './agent-request.ts';
import { requestFrame } from './frames.ts';
import { packTree } from './tar/pack.ts';
import { TarReader, type TarSink } from './tar/tar-reader.ts';
import { Unpacker } from './tar/unpack.ts';

export interface CopyNotices {
  /** Bytes of the archive so far. */
  progress(bytes: number): void;
  /** Something was left out. */
  skipped(what: string): void;
}

export interface CopyToGuest {
  readonly hostPath: string;
  /** A folder to put it in, or its name; relative to the user's home. */
  readonly guestPath: string;
  readonly user?: string | undefined;
}

export interface CopyFromGuest {
  readonly guestPath: string;
  /** What it becomes: not a folder to put it in. */
  readonly hostPath: string;
  readonly user?: string | undefined;
}

const mostErrorBytes = 4096;

/** @param stream a connection to the agent; it is used up */
export async function copyToGuest(stream: Duplex, copy: CopyToGuest, notices: CopyNotices): Promise<Result<void>> {
  const errors = new ErrorText();
  let archive: AsyncIterator<Uint8Array> | undefined;
  let rest: Uint8Array = new Uint8Array(0);
  let sent = 0;
  const streams: RequestStreams = {
    readInput: async (maxBytes) => {
      const started = await request.started;
      const name = (started.ok && started.value[1]) || basename(realpathSync(copy.hostPath));
      archive ??= packTree(Buffer.from(copy.hostPath), Buffer.from(name).toString('latin1'), (path, reason) =>
        notices.skipped(`${path}: ${reason}`),
      );
      while (rest.length === 0) {
        const next = await archive.next();
        if (next.done === true) break;
        rest = next.value;
      }
      const piece = rest.subarray(0, maxBytes);
      rest = rest.subarray(piece.length);
      sent += piece.length;
      notices.progress(sent);
      return piece;
    },
    output: async () => {},
    errors: async (bytes) => errors.add(bytes),
  };
  const words = ['path', copy.guestPath, ...userWords(copy.user)];
  const request: AgentRequest = new AgentRequest(stream, requestFrame.put, words, streams);
  const result = await endOf(request, errors);
  await archive?.return?.();
  return result;
}

/** @param stream a connection to the agent; it is used up */
export async function copyFromGuest(stream: Duplex, copy: CopyFromGuest, notices: CopyNotices): Promise<Result<void>> {
  const errors = new ErrorText();
  const unpacker = new Unpacker(copy.hostPath, (name) => notices.skipped(`${name}: it is no file, folder or link`));
  let reader: TarReader | undefined;
  let received = 0;
  const state: { unpacked: Result<void> } = { unpacked: ok(undefined) };
  const streams: RequestStreams = {
    readInput: async () => new Uint8Array(0),
    output: async (bytes) => {
      const started = await request.started;
      const single = started.ok && started.value[0] === 'file';
      reader ??= new TarReader(single ? onlyMember(unpacker) : unpacker);
      received += bytes.length;
      notices.progress(received);
      if (state.unpacked.ok) state.unpacked = await reader.push(bytes);
      if (!state.unpacked.ok) request.abandon();
    },
    errors: async (bytes) => errors.add(bytes),
  };
  const words = ['path', copy.guestPath, ...userWords(copy.user)];
  const request: AgentRequest = new AgentRequest(stream, requestFrame.get, words, streams);
  const result = await endOf(request, errors);
  const finished = await unpacker.finish();
  const { unpacked } = state;
  if (!unpacked.ok) {
    return fail(unpacked.error.kind, `the guest's archive cannot be unpacked: ${unpacked.error.message}.`);
  }
  if (!result.ok) return result;
  if (!finished.ok) return finished;
  return reader?.atEnd === true ? ok(undefined) : fail('archive', "the guest's archive was cut short.");
}

/** The guest was asked for one file: whatever the archive calls it, it becomes the target, and nothing else comes. */
function onlyMember(unpacker: Unpacker): TarSink {
  let members = 0;
  return {
    begin: async (member) => {
      members++;
      return members === 1 ? unpacker.begin({ ...member, name: '.' }) : fail('archive', 'it has more than one file');
    },
    content: (bytes) => unpacker.content(bytes),
    end: () => unpacker.end(),
  };
}

const userWords = (user: string | undefined): readonly string[] => (user === undefined ? [] : ['user', user]);

async function endOf(request: AgentRequest, errors: ErrorText): Promise<Result<void>> {
  const end = await request.ended;
  if (!end.ok) return end;
  if (end.value.kind === 'exit' && end.value.status === 0) return ok(undefined);
  const how = end.value.kind === 'exit' ? `status ${end.value.status}` : `signal ${end.value.signal}`;
  return fail('guest', `tar in the guest ended with ${how}${errors.text === '' ? '' : `: ${errors.text}`}.`);
}

class ErrorText {
  #bytes: Buffer = Buffer.alloc(0);

  add(bytes: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]).subarray(-mostErrorBytes);
  }

  get text(): string {
    return this.#bytes.toString().trim();
  }
}
