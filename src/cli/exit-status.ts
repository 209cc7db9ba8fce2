/** How a run ends for the shell that started it; the names and the first three numbers are sysexits.h's. */
export const exitStatus = {
  ok: 0,
  /** What a check of an image found, as qemu-img says it. */
  imageErrors: 2,
  imageLeaks: 3,
  /** The command line is wrong. */
  usage: 64,
  /** A file is missing, unreadable or malformed, or the guest's packages cannot be had. */
  badInput: 65,
  /** A defect of ours. */
  internal: 70,
  /** The guest died: a triple fault, or a reset that nobody asked for. */
  guestDied: 75,
  /** --timeout passed, as timeout(1) says it. */
  timedOut: 124,
  /** Added to a signal's number, as shells do. */
  signalBase: 128,
} as const;
