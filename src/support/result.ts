/** What went wrong, as a value: `kind` for programs, `message` (one sentence) for people. */
export interface Failure<K extends string = string> {
  readonly kind: K;
  readonly message: string;
}

export interface Ok<T> {
  readonly ok: true;
  readonly value: T;
}

export interface Err<E> {
  readonly ok: false;
  readonly error: E;
}

/** The outcome of an operation that can fail for reasons outside the program: bad input, a refused request. */
export type Result<T, E = Failure> = Ok<T> | Err<E>;

export function ok<T>(value: T): Ok<T> {
  return { ok: true, value };
}

export function fail<K extends string>(kind: K, message: string): Err<Failure<K>> {
  return { ok: false, error: { kind, message } };
}

/** Applies `f` to the value of a success; a failure passes unchanged. */
export function mapResult<T, U, E>(result: Result<T, E>, f: (value: T) => U): Result<U, E> {
  return result.ok ? ok(f(result.value)) : result;
}

/** Continues with `f` after a success; a failure passes unchanged. */
export function andThen<T, U, E>(result: Result<T, E>, f: (value: T) => Result<U, E>): Result<U, E> {
  return result.ok ? f(result.value) : result;
}
