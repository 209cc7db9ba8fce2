/** Offsets from the start of the message. Source: RFC 2131 2. */
export const dhcp = {
  operation: 0,
  hardwareType: 1,
  hardwareLength: 2,
  transactionId: 4,
  flags: 10,
  clientAddress: 12,
  yourAddress: 16,
  serverAddress: 20,
  clientHardware: 28,
  cookie: 236,
  options: 240,
  /** The least that a BOOTP client accepts. RFC 1542 2.1. */
  minBytes: 300,
  serverPort: 67,
  clientPort: 68,
} as const;

export const dhcpCookie = 0x6382_5363;

export const dhcpOperation = { request: 1, reply: 2 } as const;

export const dhcpBroadcastFlag = 0x8000;

/** Source: RFC 2132; `domainSearch` RFC 3397. */
export const dhcpOption = {
  pad: 0,
  subnetMask: 1,
  router: 3,
  dnsServers: 6,
  hostName: 12,
  domainName: 15,
  interfaceMtu: 26,
  broadcastAddress: 28,
  requestedAddress: 50,
  leaseTime: 51,
  messageType: 53,
  serverId: 54,
  renewalTime: 58,
  rebindingTime: 59,
  clientId: 61,
  domainSearch: 119,
  end: 255,
} as const;

/** Source: RFC 2132 9.6. */
export const dhcpMessage = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;
