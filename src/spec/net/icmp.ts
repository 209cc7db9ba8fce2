/** Offsets from the start of the message. Source: RFC 792. */
export const icmp = { type: 0, code: 1, checksum: 2, rest: 4, headerBytes: 8 } as const;

export const icmpType = { echoReply: 0, unreachable: 3, echoRequest: 8, timeExceeded: 11 } as const;

/** Codes of `unreachable`; `prohibited` is RFC 1812 5.2.7.1. */
export const icmpUnreachable = { network: 0, host: 1, protocol: 2, port: 3, prohibited: 13 } as const;
