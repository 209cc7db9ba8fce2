/** Linux' TAP devices. Source: linux/if_tun.h, linux/if.h, asm-generic/poll.h, asm-generic/errno-base.h. */
export const tunPath = '/dev/net/tun';

/** `_IOW('T', n, …)` with an argument of four bytes. */
export const tunRequest = { setInterface: 0x4004_54ca, setOffload: 0x4004_54d0, setHeaderBytes: 0x4004_54d8 } as const;

/** Flags of TUNSETIFF: whole Ethernet frames, no header of the device's own, virtio's header before each. */
export const tunFlag = { tap: 0x0002, noPacketInformation: 0x1000, virtioHeader: 0x4000 } as const;

/** What of frames that the kernel gives may be left to do (TUNSETOFFLOAD). */
export const tunOffload = { checksum: 0x01, tso4: 0x02, tso6: 0x04, ecn: 0x08 } as const;

/** `struct ifreq`: the name, then what the request is about. */
export const interfaceRequest = { nameBytes: 16, flags: 16, bytes: 40 } as const;

/** `struct pollfd`. */
export const pollRequest = { descriptor: 0, events: 4, results: 6, bytes: 8, readable: 0x0001 } as const;

/** EAGAIN. */
export const tunError = { again: 11 } as const;
