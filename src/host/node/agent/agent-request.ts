/** One request to the agent in a guest, over any stream that leads to it. */
import type { Duplex } from 'node:stream';
import { type Err, type Failure, fail, ok, type Result } from '../../../support/result.ts';
import {
  agentVersion,
  decodeList,
  encodeFrame,
  encodeList,
  type Frame,
  FrameReader,
  pieceBytes,
  replyFrame,
  requestFrame,
  streamWindowBytes,
} from './frames.ts';

/**
 * `agent`: the guest's side does not speak this protocol, or breaks it; `connection`: it went away. The others come
 * from the guest: `not-found`, `not-executable`, `directory`, `user`, `path`, `terminal`, `process`, `protocol`.
 */
export type AgentFailure = Failure;

/** How a program in the guest ended. */
export type ProgramEnd =
  | { readonly kind: 'exit'; readonly status: number }
  | { readonly kind: 'signal'; readonly signal: number };

export interface RequestStreams {
  /** 1 to `maxBytes` bytes; none at the end. */
  readInput(maxBytes: number): Promise<Uint8Array>;
  /** Resolve when the bytes are taken. */
  output(bytes: Uint8Array): Promise<void>;
  errors(bytes: Uint8Array): Promise<void>;
}

type Output = 'output' | 'errors';

const greetingMs = 30_000;
const longestGreetingBytes = 64;

export class AgentRequest {
  /** What the guest says once the program runs: words that depend on the request. */
  readonly started: Promise<Result<readonly string[], AgentFailure>>;
  readonly ended: Promise<Result<ProgramEnd, AgentFailure>>;
  readonly #stream: Duplex;
  readonly #streams: RequestStreams;
  readonly #frames = new FrameReader();
  readonly #start = Promise.withResolvers<Result<readonly string[], AgentFailure>>();
  readonly #end = Promise.withResolvers<Result<ProgramEnd, AgentFailure>>();
  #greeting: Buffer | undefined = Buffer.alloc(0);
  readonly #timer: NodeJS.Timeout;
  readonly #first: Uint8Array;
  #over = false;
  #inputCredit = streamWindowBytes;
  #wantsCredit: (() => void) | undefined;
  /** Bytes that came and are not taken yet, and the last of the calls that take them. */
  readonly #untaken: Record<Output, number> = { output: 0, errors: 0 };
  readonly #taking: Record<Output, Promise<void>> = { output: Promise.resolve(), errors: Promise.resolve() };

  /**
   * @param words keys and values, alternating
   * @param patienceMs how long the agent may take to answer at all
   */
  constructor(
    stream: Duplex,
    type: string,
    words: readonly string[],
    streams: RequestStreams,
    patienceMs: number = greetingMs,
  ) {
    this.#stream = stream;
    this.#streams = streams;
    this.#first = encodeFrame(type, encodeList(words));
    this.started = this.#start.promise;
    this.ended = this.#end.promise;
    this.#timer = setTimeout(() => this.#fail('agent', 'the agent in the guest does not answer.'), patienceMs);
    stream.on('data', (bytes: Buffer) => this.#receive(bytes));
    stream.on('error', (error) => this.#fail('connection', `the connection to the guest broke (${error.message}).`));
    stream.on('close', () => this.#fail('connection', 'the guest closed the connection.'));
    stream.on('end', () => this.#fail('connection', 'the guest closed the connection.'));
    stream.resume();
    this.#send(Buffer.from(`CORBEL-HOST ${agentVersion}\n`));
  }

  resize(rows: number, columns: number): void {
    const size = Buffer.alloc(8);
    size.writeUInt32BE(rows, 0);
    size.writeUInt32BE(columns, 4);
    this.#send(encodeFrame(requestFrame.window, size));
  }

  /** @param name without SIG */
  signal(name: string): void {
    this.#send(encodeFrame(requestFrame.signal, Buffer.from(name)));
  }

  /** Ends the connection; the guest hangs up on the program. */
  abandon(): void {
    this.#fail('connection', 'the connection was ended.');
  }

  #send(bytes: Uint8Array): void {
    if (!this.#over && this.#stream.writable) this.#stream.write(bytes);
  }

  #receive(bytes: Buffer): void {
    if (this.#over) return;
    const rest = this.#greeting === undefined ? bytes : this.#greet(bytes);
    if (rest === undefined) return;
    for (const frame of this.#frames.push(rest)) {
      this.#take(frame);
      if (this.#over) return;
    }
    if (this.#frames.broken) this.#fail('agent', 'the agent in the guest sent a frame that is too long.');
  }

  /** @returns what follows the greeting, once it is complete and of the right version */
  #greet(bytes: Buffer): Buffer | undefined {
    const all = Buffer.concat([this.#greeting ?? Buffer.alloc(0), bytes]);
    this.#greeting = all;
    const end = all.indexOf('\n');
    if (end < 0 && all.length <= longestGreetingBytes) return undefined;
    const version = /^CORBEL-AGENT ([0-9]{1,6})$/.exec(all.toString('latin1', 0, Math.max(0, end)))?.[1];
    if (version === undefined) {
      this.#fail('agent', "what answers in the guest is not Corbel's agent.");
      return undefined;
    }
    if (Number(version) !== agentVersion) {
      const older = Number(version) < agentVersion;
      const advice = older ? 'make the image anew with this corbel' : 'use a newer corbel';
      this.#fail('agent', `the agent in the guest speaks version ${version}, this is ${agentVersion}: ${advice}.`);
      return undefined;
    }
    clearTimeout(this.#timer);
    this.#greeting = undefined;
    this.#send(this.#first);
    return all.subarray(end + 1);
  }

  #take({ type, payload }: Frame): void {
    if (type === replyFrame.output || type === replyFrame.errors) {
      this.#takeBytes(type === replyFrame.output ? 'output' : 'errors', payload);
      return;
    }
    const words = decodeList(payload);
    if (words === undefined) {
      this.#break(`a frame ${JSON.stringify(type)} that is no list`);
      return;
    }
    switch (type) {
      case replyFrame.started:
        this.#start.resolve(ok(words));
        void this.#sendInput();
        break;
      case replyFrame.failed:
        this.#fail(words[0] ?? 'process', `${words[1] ?? 'the guest gave no reason'}.`);
        break;
      case replyFrame.credit:
        this.#addCredit(Number(words[1]));
        break;
      case replyFrame.ended:
        void this.#finish(words);
        break;
      default:
        this.#break(`a frame of type ${JSON.stringify(type)}`);
    }
  }

  #addCredit(bytes: number): void {
    if (Number.isInteger(bytes) && bytes >= 0) {
      this.#inputCredit = Math.min(streamWindowBytes, this.#inputCredit + bytes);
      this.#wantsCredit?.();
    } else {
      this.#break('a credit that is no number');
    }
  }

  #takeBytes(output: Output, bytes: Uint8Array): void {
    this.#untaken[output] += bytes.length;
    if (this.#untaken[output] > streamWindowBytes) {
      this.#break('more output than the window allows');
      return;
    }
    this.#taking[output] = this.#taking[output].then(async () => {
      await this.#streams[output](bytes);
      this.#untaken[output] -= bytes.length;
      const name = output === 'output' ? replyFrame.output : replyFrame.errors;
      this.#send(encodeFrame(requestFrame.credit, encodeList([name, String(bytes.length)])));
    });
  }

  async #sendInput(): Promise<void> {
    while (!this.#over) {
      if (this.#inputCredit === 0) {
        await new Promise<void>((resolve) => {
          this.#wantsCredit = resolve;
        });
        continue;
      }
      const bytes = await this.#streams.readInput(Math.min(pieceBytes, this.#inputCredit));
      this.#inputCredit -= bytes.length;
      this.#send(encodeFrame(requestFrame.input, bytes));
      if (bytes.length === 0) return;
    }
  }

  async #finish([kind, text]: readonly string[]): Promise<void> {
    const number = Number(text);
    if ((kind !== 'exit' && kind !== 'signal') || !Number.isInteger(number) || number < 0 || number > 255) {
      this.#break('an end that is none');
      return;
    }
    await Promise.all([this.#taking.output, this.#taking.errors]);
    this.#settle(ok(kind === 'exit' ? { kind, status: number } : { kind, signal: number }));
  }

  #break(what: string): void {
    this.#fail('agent', `the agent in the guest broke the protocol: ${what}.`);
  }

  #fail(kind: string, message: string): void {
    this.#settle(fail(kind, message));
  }

  #settle(result: Result<ProgramEnd, AgentFailure>): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#start.resolve(result.ok ? unexpectedEnd : result);
    this.#end.resolve(result);
    this.#wantsCredit?.();
    this.#stream.destroy();
  }
}

const unexpectedEnd: Err<AgentFailure> = fail('agent', 'the program in the guest ended before it began.');
