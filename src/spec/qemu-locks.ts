/**
 * How programs that share disk images tell each other what they do with one: QEMU's byte-range locks (block/file-posix.c,
 * include/block/block-common.h) on Linux's open file descriptions (fcntl(2), F_OFD_SETLK).
 */

/** Who does a thing holds a shared lock on this byte plus the thing's number. */
export const lockPermissionBase = 100;
/** Who does not tolerate that others do it holds a shared lock on this byte plus the thing's number. */
export const lockUnsharedBase = 200;

export const lockPermission = { consistentRead: 0, write: 1, writeUnchanged: 2, resize: 3 } as const;

/** linux/fcntl.h */
export const ofdLock = { get: 36, set: 37 } as const;

/** `l_type` of struct flock. */
export const lockType = { read: 0, write: 1, unlock: 2 } as const;

/** struct flock on 64-bit Linux. */
export const flockLayout = { type: 0, whence: 2, start: 8, length: 16, pid: 24, sizeBytes: 32 } as const;
