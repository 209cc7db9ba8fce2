/** Where a file has storage. Source: fallocate(2) and lseek(2) of Linux. */
export const fallocateMode = { keepSize: 0x01, punchHole: 0x02 } as const;

export const seekWhence = { end: 2, data: 3, hole: 4 } as const;
