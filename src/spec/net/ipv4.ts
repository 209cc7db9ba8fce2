/** Offsets from the start of the header. Source: RFC 791 3.1. */
export const ipv4 = {
  versionAndLength: 0,
  service: 1,
  totalLength: 2,
  identification: 4,
  fragment: 6,
  timeToLive: 8,
  protocol: 9,
  checksum: 10,
  source: 12,
  destination: 16,
  headerBytes: 20,
  maxBytes: 65_535,
} as const;

export const ipv4Fragment = { dontFragment: 0x4000, moreFragments: 0x2000, offsetMask: 0x1fff, unitBytes: 8 } as const;

export const ipProtocol = { icmp: 1, tcp: 6, udp: 17 } as const;

/** Offsets from the start of the fixed header. Source: RFC 8200 3. */
export const ipv6 = { payloadLength: 4, nextHeader: 6, source: 8, addressBytes: 16, headerBytes: 40 } as const;
