/** Offsets from the start of the header. Source: RFC 9293 3.1. */
export const tcp = {
  sourcePort: 0,
  destinationPort: 2,
  sequence: 4,
  acknowledgment: 8,
  dataOffset: 12,
  flags: 13,
  window: 14,
  checksum: 16,
  headerBytes: 20,
} as const;

export const tcpFlag = {
  fin: 0x01,
  syn: 0x02,
  rst: 0x04,
  psh: 0x08,
  ack: 0x10,
  urg: 0x20,
  ece: 0x40,
  cwr: 0x80,
} as const;

/** Option kinds: RFC 9293 3.2, RFC 7323 2.2. */
export const tcpOption = { end: 0, noOperation: 1, maxSegmentSize: 2, windowScale: 3 } as const;

export const tcpLimits = {
  /** What a peer takes that did not say. RFC 9293 3.7.1. */
  defaultMssBytes: 536,
  /** RFC 7323 2.3. */
  maxWindowScale: 14,
  maxWindowField: 0xffff,
} as const;
