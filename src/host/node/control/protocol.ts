/**
 * The control protocol of a running virtual machine: lines of JSON on a Unix socket, one request a line, each answered
 * by one line with the request's id, in order.
 *
 *   → {"version":1,"id":7,"command":"resizeConsole","rows":24,"columns":80}
 *   ← {"version":1,"id":7,"ok":true,"result":{}}
 *   ← {"version":1,"id":7,"ok":false,"error":{"kind":"paused","message":"…"}}
 *
 * Both sides take exactly what is described here and refuse everything else.
 */
import { fail, ok, type Result } from '../../../support/result.ts';
import type { BalloonFacts } from '../guest-balloon.ts';

const protocolVersion = 1;
/** The longest line. */
export const maxLineBytes = 64 << 10;

export interface VmStatus {
  readonly name: string;
  readonly pid: number;
  /** `starting`: there is no machine yet, or between two while the guest reboots. */
  readonly state: 'starting' | 'running' | 'paused';
}

/** The commands, with what each takes and gives. */
export interface ControlCommands {
  status: { takes: object; gives: VmStatus };
  /** Asks the guest to power off; it may ignore that. */
  powerButton: { takes: object; gives: object };
  /** Ends the virtual machine without asking the guest. */
  stop: { takes: object; gives: object };
  pause: { takes: object; gives: object };
  resume: { takes: object; gives: object };
  resizeConsole: { takes: { readonly rows: number; readonly columns: number }; gives: object };
  /** What the machine has counted, by name. */
  statistics: { takes: object; gives: { readonly statistics: Readonly<Record<string, number>> } };
  /** How much memory the guest has and is to have. */
  balloon: { takes: object; gives: { readonly balloon: BalloonFacts } };
  /** Asks the guest to get along with so much of its memory. */
  setBalloon: { takes: { readonly targetBytes: number }; gives: object };
}

export type ControlCommand = keyof ControlCommands;

export type ControlRequest = {
  readonly [K in ControlCommand]: { readonly command: K } & ControlCommands[K]['takes'];
}[ControlCommand];

/** Why a request is refused. */
export type ControlErrorKind =
  | 'malformed'
  | 'version'
  | 'too-long'
  | 'not-running'
  | 'no-answer'
  | 'no-balloon'
  | 'too-much';

export interface ControlError {
  readonly kind: string;
  readonly message: string;
}

type Check = (value: unknown) => boolean;
type Shape<T> = { readonly [K in keyof T]-?: Check } & Readonly<Record<string, Check>>;

/** What a terminal's size is in the kernel: 16 bits. ioctl_tty(2), struct winsize. */
const maxWindow = 0xffff;
const isWindow: Check = (value) => Number.isInteger(value) && (value as number) > 0 && (value as number) <= maxWindow;
const isId: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isText: Check = (value) => typeof value === 'string';
const isRecordOfNumbers: Check = (value) =>
  isObject(value) && Object.values(value).every((entry) => typeof entry === 'number');

const isSize: Check = (value) => Number.isSafeInteger(value) && (value as number) > 0;
const balloonShape: Shape<BalloonFacts> = {
  memoryBytes: isId,
  targetBytes: isId,
  actualBytes: isId,
  releasedBytes: isId,
  statistics: isRecordOfNumbers,
};
const isBalloon: Check = (value) => isObject(value) && misfit(value, balloonShape) === undefined;

const shapes: {
  readonly [K in ControlCommand]: {
    readonly takes: Shape<ControlCommands[K]['takes']>;
    readonly gives: Shape<ControlCommands[K]['gives']>;
  };
} = {
  status: {
    takes: {},
    gives: { name: isText, pid: isId, state: (value) => ['starting', 'running', 'paused'].includes(value as string) },
  },
  powerButton: { takes: {}, gives: {} },
  stop: { takes: {}, gives: {} },
  pause: { takes: {}, gives: {} },
  resume: { takes: {}, gives: {} },
  resizeConsole: { takes: { rows: isWindow, columns: isWindow }, gives: {} },
  statistics: { takes: {}, gives: { statistics: isRecordOfNumbers } },
  balloon: { takes: {}, gives: { balloon: isBalloon } },
  setBalloon: { takes: { targetBytes: isSize }, gives: {} },
};

export function encodeRequest(id: number, request: ControlRequest): string {
  return `${JSON.stringify({ version: protocolVersion, id, ...request })}\n`;
}

export function encodeResult<K extends ControlCommand>(id: number, result: ControlCommands[K]['gives']): string {
  return `${JSON.stringify({ version: protocolVersion, id, ok: true, result })}\n`;
}

/** @param id null, where the request has none that could be read */
export function encodeError(id: number | null, kind: ControlErrorKind, message: string): string {
  return `${JSON.stringify({ version: protocolVersion, id, ok: false, error: { kind, message } })}\n`;
}

export interface NumberedRequest {
  readonly id: number;
  readonly request: ControlRequest;
}

export interface RefusedRequest {
  readonly kind: ControlErrorKind;
  readonly message: string;
  readonly id: number | null;
}

/** Reads a line that a client has sent. */
export function parseRequest(line: string): Result<NumberedRequest, RefusedRequest> {
  const value = parseJson(line);
  const refuse = (kind: ControlErrorKind, message: string): Result<never, RefusedRequest> => {
    const id = isObject(value) && isId(value.id) ? (value.id as number) : null;
    return { ok: false, error: { kind, message, id } };
  };
  if (!isObject(value)) return refuse('malformed', 'A request is a line with a JSON object.');
  const { version, id, command, ...rest } = value;
  if (version !== protocolVersion) return refuse('version', `Only version ${protocolVersion} is spoken here.`);
  if (!isId(id)) return refuse('malformed', 'id has to be a whole number from 0.');
  if (typeof command !== 'string' || !Object.hasOwn(shapes, command)) {
    return refuse('malformed', `There is no such command; there are ${Object.keys(shapes).join(', ')}.`);
  }
  const wrong = misfit(rest, shapes[command as ControlCommand].takes);
  if (wrong !== undefined) return refuse('malformed', `${command}: ${wrong}.`);
  return ok({ id: id as number, request: { command, ...rest } as ControlRequest });
}

/** Reads the answer to request `id`. Errors: what the other side refused, or kind `malformed`. */
export function parseReply<K extends ControlCommand>(
  line: string,
  id: number,
  command: K,
): Result<ControlCommands[K]['gives'], ControlError> {
  const value = parseJson(line);
  if (!isObject(value) || value.version !== protocolVersion) return fail('malformed', 'The answer is not one.');
  if (value.ok === false && isObject(value.error) && isText(value.error.kind) && isText(value.error.message)) {
    return { ok: false, error: value.error as unknown as ControlError };
  }
  const { result } = value;
  if (value.ok !== true || value.id !== id || !isObject(result)) return fail('malformed', 'The answer is not one.');
  const wrong = misfit(result, shapes[command].gives);
  return wrong === undefined ? ok(result as ControlCommands[K]['gives']) : fail('malformed', `The answer: ${wrong}.`);
}

/** What is wrong with an object that should have exactly the fields of `shape`. */
function misfit(value: Record<string, unknown>, shape: Readonly<Record<string, Check>>): string | undefined {
  const unknown = Object.keys(value).find((field) => !Object.hasOwn(shape, field));
  if (unknown !== undefined) return `there is no field ${JSON.stringify(unknown.slice(0, 40))}`;
  const wrong = Object.entries(shape).find(([field, check]) => !Object.hasOwn(value, field) || !check(value[field]));
  return wrong === undefined ? undefined : `${wrong[0]} is missing or wrong`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
