/** Address resolution for IPv4 on Ethernet; offsets from the start of the ARP packet. Source: RFC 826. */
export const arp = {
  hardwareType: 0,
  protocolType: 2,
  hardwareLength: 4,
  protocolLength: 5,
  operation: 6,
  senderHardware: 8,
  senderProtocol: 14,
  targetHardware: 18,
  targetProtocol: 24,
  bytes: 28,
} as const;

export const arpHardware = { ethernet: 1 } as const;

export const arpOperation = { request: 1, reply: 2 } as const;
