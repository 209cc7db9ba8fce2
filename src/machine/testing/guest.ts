/** Guests of a few bytes, assembled by hand: flat 32-bit code in a multiboot image, with interrupt handlers. */

/** Where the image is loaded; bit 20 is clear, so that the code stays where it is while A20 is shut. */
const base = 0x20_0000;
const headerBytes = 32;
/** The loader's flat code segment. */
const codeSelector = 0x10;
const interruptGate32 = 0x8e;

export type Code = readonly (number | readonly number[])[];

export const word = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
export const dword = (value: number): number[] => [...word(value), ...word(value >>> 16)];

/** OUT of a byte, by DX. */
export const out = (port: number, value: number): number[] => [0x66, 0xba, ...word(port), 0xb0, value & 0xff, 0xee];
/** MOV dword [address], value. */
export const store = (address: number, value: number): number[] => [0xc7, 0x05, ...dword(address), ...dword(value)];
/** MOV EAX, dword [address]. */
export const load = (address: number): number[] => [0xa1, ...dword(address)];
export const sti = 0xfb;
export const hlt = 0xf4;
export const iret = 0xcf;
/** INC dword [address]. */
export const increment = (address: number): number[] => [0xff, 0x05, ...dword(address)];
/** OUT 0xf4, AL. */
export const exitWithAl = [0xe6, 0xf4];
/** OUT 0xf4, with a constant. */
export const exit = (value: number): number[] => [0xb0, value, ...exitWithAl];
/** HLT until dword [address] is `count`. */
export const haltUntil = (address: number, count: number): number[] => [
  ...[hlt, 0x81, 0x3d, ...dword(address), ...dword(count)],
  // JNZ back to the HLT.
  ...[0x75, 0xf3],
];
/** Free memory for the guest's variables. */
export const variable = 0x30_0000;

export interface Handler {
  readonly vector: number;
  readonly code: Code;
}

/** A multiboot kernel that loads its IDT, then runs `code`. */
export function bareMetal(code: Code, handlers: readonly Handler[] = []): Uint8Array {
  const lidt = [0x0f, 0x01, 0x1d];
  const main = code.flat();
  const stack = [0xbc, ...dword(0x20_0000)];
  const codeEnd = headerBytes + lidt.length + 4 + stack.length + main.length;
  const bodies = handlers.map(({ vector, code: body }) => ({ vector, bytes: body.flat() }));
  const handlersEnd = codeEnd + bodies.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const entries = Math.max(0, ...handlers.map(({ vector }) => vector + 1));
  const idt = new Array<number>(entries * 8).fill(0);
  let address = base + codeEnd;
  for (const { vector, bytes } of bodies) {
    const gate = [...word(address), ...word(codeSelector), 0, interruptGate32, ...word(address >>> 16)];
    idt.splice(vector * 8, 8, ...gate);
    address += bytes.length;
  }
  const idtr = [...word(Math.max(0, idt.length - 1)), ...dword(base + handlersEnd)];
  const magic = 0x1bad_b002;
  const flags = 0x1_0000;
  const header = [magic, flags, -(magic + flags), base, base, 0, 0, base + headerBytes].flatMap(dword);
  const start = [...lidt, ...dword(base + handlersEnd + idt.length), ...stack];
  return Uint8Array.from([...header, ...start, ...main, ...bodies.flatMap(({ bytes }) => bytes), ...idt, ...idtr]);
}
