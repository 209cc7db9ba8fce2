/** Socket device. Source: VIRTIO 1.2 5.10. */

/** 5.10.2. */
export const vsockQueue = { receive: 0, transmit: 1, event: 2 } as const;

/** Configuration: le64 guest_cid. 5.10.4. */
export const vsockConfigBytes = 8;

/** Context IDs: 0, 1 and 2^32 - 1 are reserved, 2 is the host. 5.10.4, 5.10.6.1. */
export const vsockCid = { host: 2, firstGuest: 3, last: 0xffff_fffe } as const;

/** Offsets in a packet's header. 5.10.6. */
export const vsockHeader = {
  sourceCid: 0,
  destinationCid: 8,
  sourcePort: 16,
  destinationPort: 20,
  length: 24,
  type: 28,
  operation: 30,
  flags: 32,
  bufferBytes: 36,
  forwardedBytes: 40,
  size: 44,
} as const;

export const vsockType = { stream: 1 } as const;

export const vsockOperation = {
  invalid: 0,
  request: 1,
  response: 2,
  reset: 3,
  shutdown: 4,
  data: 5,
  creditUpdate: 6,
  creditRequest: 7,
} as const;

/** Flags of a shutdown: the sender will not receive, or not send, any more. */
export const vsockShutdown = { receive: 1, send: 2 } as const;
