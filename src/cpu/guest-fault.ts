/**
 * An exception on its way through slow-path code. Slow paths of a dozen accesses each throw it, the vCPU catches it at
 * one place and makes it the guest's exception; it never leaves `cpu/`. It is no Error: no stack is captured.
 */
export class GuestFault {
  readonly vector: number;
  /** Undefined for vectors that push none. */
  readonly errorCode: number | undefined;
  /** Raised after the instruction committed (in the new task of a task switch): state.rip is where it points. */
  committed = false;
  /** RF stays clear in the saved flags: the debug trap of a task switch, instruction breakpoints. */
  trap = false;

  constructor(vector: number, errorCode?: number) {
    this.vector = vector;
    this.errorCode = errorCode;
  }
}

/** #GP(0), and others with an error code of a selector: bits 15:2 index and TI, as the SDM's error codes have it. */
export const generalProtection = (errorCode = 0): GuestFault => new GuestFault(13, errorCode & 0xffff);
export const stackFault = (errorCode = 0): GuestFault => new GuestFault(12, errorCode & 0xffff);
export const notPresent = (errorCode: number): GuestFault => new GuestFault(11, errorCode & 0xffff);
export const invalidTss = (errorCode: number): GuestFault => new GuestFault(10, errorCode & 0xffff);
export const undefinedOpcode = (): GuestFault => new GuestFault(6);
