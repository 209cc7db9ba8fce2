/** Writes ACPI Machine Language: each function returns the bytes of one term. ACPI Specification 6.3, chapter 20. */
import { amlOp } from '../../spec/acpi/aml.ts';

export type Aml = readonly number[];

/** A named object: `NAME` is at most four characters of A–Z, 0–9, _; paths are joined by dots, `\` is the root. */
export function nameString(path: string): number[] {
  const rooted = path.startsWith('\\');
  const segments = (rooted ? path.slice(1) : path).split('.').filter((segment) => segment !== '');
  const bytes = segments.flatMap((segment) => [...segment.padEnd(4, '_')].map((letter) => letter.charCodeAt(0)));
  const prefix = rooted ? [amlOp.root] : [];
  if (segments.length === 0) return [...prefix, 0];
  if (segments.length === 1) return [...prefix, ...bytes];
  if (segments.length === 2) return [...prefix, amlOp.dualName, ...bytes];
  return [...prefix, amlOp.multiName, segments.length, ...bytes];
}

/** An unsigned integer in its shortest form. */
export function integer(value: number | bigint): number[] {
  const wide = BigInt(value);
  if (wide === 0n) return [amlOp.zero];
  if (wide === 1n) return [amlOp.one];
  if (wide <= 0xffn) return [amlOp.bytePrefix, ...littleEndian(wide, 1)];
  if (wide <= 0xffffn) return [amlOp.wordPrefix, ...littleEndian(wide, 2)];
  if (wide <= 0xffff_ffffn) return [amlOp.dwordPrefix, ...littleEndian(wide, 4)];
  return [amlOp.qwordPrefix, ...littleEndian(wide, 8)];
}

/** An ASCII string. */
export function string(text: string): number[] {
  return [amlOp.stringPrefix, ...[...text].map((letter) => letter.charCodeAt(0) & 0x7f), 0];
}

/** A Plug and Play identifier such as PNP0A03, compressed to a dword. ACPI Specification 6.3, 19.6.36. */
export function eisaId(id: string): number[] {
  const letters = [...id.slice(0, 3)].map((letter) => letter.charCodeAt(0) - 0x40);
  const [first = 0, second = 0, third = 0] = letters;
  const product = Number.parseInt(id.slice(3), 16);
  const value = (first << 26) | (second << 21) | (third << 16) | product;
  // The identifier is big-endian, the dword little-endian.
  return [amlOp.dwordPrefix, (value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

export function name(path: string, value: Aml): number[] {
  return [amlOp.name, ...nameString(path), ...value];
}

export function scope(path: string, ...terms: readonly Aml[]): number[] {
  return [amlOp.scope, ...withLength([...nameString(path), ...terms.flat()])];
}

export function device(path: string, ...terms: readonly Aml[]): number[] {
  return [amlOp.extended, amlOp.device, ...withLength([...nameString(path), ...terms.flat()])];
}

/** At most 255 elements. */
export function packageOf(...elements: readonly Aml[]): number[] {
  return [amlOp.package, ...withLength([elements.length, ...elements.flat()])];
}

export function buffer(bytes: Aml): number[] {
  return [amlOp.buffer, ...withLength([...integer(bytes.length), ...bytes])];
}

export function littleEndian(value: number | bigint, bytes: number): number[] {
  const wide = BigInt(value);
  return Array.from({ length: bytes }, (_, index) => Number((wide >> BigInt(index * 8)) & 0xffn));
}

/** Puts PkgLength in front, which counts itself. ACPI Specification 6.3, 20.2.4. */
function withLength(body: Aml): number[] {
  if (body.length + 1 < 0x40) return [body.length + 1, ...body];
  const extra = [2, 3, 4].find((size) => body.length + size < 1 << (4 + 8 * (size - 1))) ?? 4;
  const length = body.length + extra;
  return [((extra - 1) << 6) | (length & 0xf), ...littleEndian(length >>> 4, extra - 1), ...body];
}
