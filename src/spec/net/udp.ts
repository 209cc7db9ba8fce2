/** Offsets from the start of the header. Source: RFC 768. */
export const udp = { sourcePort: 0, destinationPort: 2, length: 4, checksum: 6, headerBytes: 8 } as const;
