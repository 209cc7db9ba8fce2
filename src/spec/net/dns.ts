/** Offsets from the start of the message. Source: RFC 1035 4.1.1. */
export const dns = {
  id: 0,
  flags: 2,
  questions: 4,
  answers: 6,
  authorities: 8,
  additionals: 10,
  headerBytes: 12,
  port: 53,
  maxNameBytes: 255,
  maxLabelBytes: 63,
} as const;

export const dnsFlag = {
  response: 0x8000,
  operationMask: 0x7800,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
} as const;

/** Response codes. Source: RFC 1035 4.1.1. */
export const dnsStatus = {
  ok: 0,
  formatError: 1,
  serverFailure: 2,
  noSuchName: 3,
  notImplemented: 4,
  mask: 0xf,
} as const;

/** Source: RFC 1035 3.2.2, RFC 3596 2.1. */
export const dnsType = { a: 1, ptr: 12, aaaa: 28 } as const;

export const dnsClass = { internet: 1 } as const;

/** A length byte of this form begins a pointer to another name in the message. RFC 1035 4.1.4. */
export const dnsPointer = 0xc0;
