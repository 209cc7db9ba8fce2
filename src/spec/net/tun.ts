/** Linux' TAP devices. Source: linux/if_tun.h, linux/if.h, linux/fcntl.h, asm-generic/poll.h. */
export const tunPath = '/dev/net/tun';

/** `_IOW('T', n, int)`. */
export const tunRequest = { setInterface: 0x4004_54ca } as const;

/** Flags of TUNSETIFF: whole Ethernet frames, without a header of the device's own. */
export const tunFlag = { tap: 0x0002, noPacketInformation: 0x1000 } as const;

/** `struct ifreq`: the name, then what the request is about. */
export const interfaceRequest = { nameBytes: 16, flags: 16, bytes: 40 } as const;
