/** Ethernet frames without preamble and frame check sequence. Source: IEEE 802.3, 802.1Q; numbers of IANA's registries. */
export const ethernet = {
  destination: 0,
  source: 6,
  type: 12,
  headerBytes: 14,
  addressBytes: 6,
  /** The largest payload of a frame on a plain Ethernet. */
  mtuBytes: 1500,
} as const;

export const etherType = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd } as const;

/** The tag lies between the source address and the type. IEEE 802.1Q 9.6. */
export const vlanTag = {
  at: 12,
  control: 14,
  bytes: 4,
  idMask: 0x0fff,
  /** A tag that carries a priority and no VLAN. */
  priorityOnly: 0,
  first: 1,
  last: 4094,
} as const;

/** 01-80-C2-00-00-00 to -0F never leave a bridge. IEEE 802.1Q table 8-1. */
export const bridgeReserved = { high: 0x0180, low: 0xc200_0000, lowMask: 0xffff_fff0 } as const;

/** A frame with this bit in the first byte of its destination goes to several stations. */
export const groupBit = 0x01;

/** A station address with this bit was assigned locally. */
export const localBit = 0x02;
