/**
 * The block key: what decoded and translated code depends on besides its bytes, as one number that is never 0. Emitted
 * code switches between the two keys of 64-bit code itself (SYSCALL, SYSRET).
 */

/**
 * Code size 16 is 0. `flat32`: 32-bit code whose CS, DS, ES and SS span all of the linear address space from 0 on. `step`: one
 * instruction at a time.
 */
export const modeBits = { size32: 1, size64: 2, flat32: 3, size: 3, real: 4, user: 8, step: 16, all: 31 } as const;

export const blockKeyOf = (bits: number): number => 1 + bits;
export const bitsOfBlockKey = (key: number): number => key - 1;

export const blockKeys = {
  kernel64: blockKeyOf(modeBits.size64),
  user64: blockKeyOf(modeBits.size64 | modeBits.user),
  kernel32: blockKeyOf(modeBits.flat32),
  user32: blockKeyOf(modeBits.flat32 | modeBits.user),
  /** The first of those that run one instruction at a time. */
  firstStep: blockKeyOf(modeBits.step),
} as const;

/** Whether code under a block key is `flat32`. */
export const isFlatKey = (key: number): boolean => (bitsOfBlockKey(key) & modeBits.size) === modeBits.flat32;

/** Whether code under a block key belongs to user mode, and so to one address space. */
export const isUserKey = (key: number): boolean => (bitsOfBlockKey(key) & modeBits.user) !== 0;

/**
 * Code key: the block key, and above it, for user code, the number of the address space that the code was found in. The code
 * TLB tags its pages with it, so it has 12 bits.
 */
export const codeKeySpace = { shift: 6, numbers: 64 } as const;
