/** Where a file has storage, and in which way it is read. Source: fallocate(2), lseek(2) and preadv2(2) of Linux. */
export const fallocateMode = { keepSize: 0x01, punchHole: 0x02 } as const;

export const seekWhence = { end: 2, data: 3, hole: 4 } as const;

/** RWF_NOWAIT */
export const readFlags = { noWait: 0x08 } as const;
