/** The network device. Source: VIRTIO 1.2 5.1. */

/** Feature bits. Section 5.1.3. */
export const netFeature = {
  checksum: 1n << 0n,
  guestChecksum: 1n << 1n,
  mtu: 1n << 3n,
  mac: 1n << 5n,
  guestTso4: 1n << 7n,
  guestTso6: 1n << 8n,
  guestEcn: 1n << 9n,
  hostTso4: 1n << 11n,
  hostTso6: 1n << 12n,
  hostEcn: 1n << 13n,
  mergeReceiveBuffers: 1n << 15n,
  status: 1n << 16n,
  controlQueue: 1n << 17n,
  controlReceive: 1n << 18n,
  controlVlan: 1n << 19n,
  controlReceiveExtra: 1n << 20n,
  controlMacAddress: 1n << 23n,
} as const;

/** Queue numbers, with one pair. Section 5.1.2. */
export const netQueue = { receive: 0, transmit: 1, control: 2 } as const;

/** Offsets in the configuration space. Section 5.1.4. */
export const virtioNetConfig = { mac: 0, status: 6, maxQueuePairs: 8, mtu: 10, bytes: 12 } as const;

export const virtioNetStatus = { linkUp: 1 } as const;

/** The header before each frame. Section 5.1.6; the form without `bufferCount` is that of TAP devices. */
export const virtioNetHeader = {
  flags: 0,
  segmentation: 1,
  headerLength: 2,
  segmentSize: 4,
  checksumStart: 6,
  checksumOffset: 8,
  bufferCount: 10,
  bytes: 12,
  legacyBytes: 10,
} as const;

export const virtioNetHeaderFlag = { needsChecksum: 1, dataValid: 2 } as const;

/** `ecn` comes on top of a kind. */
export const virtioNetSegmentation = { none: 0, tcp4: 1, tcp6: 4, ecn: 0x80 } as const;

/** Classes and commands of the control queue. Sections 5.1.6.5.1 to 5.1.6.5.3. */
export const virtioNetControl = {
  receiveMode: {
    class: 0,
    promiscuous: 0,
    allMulticast: 1,
    allUnicast: 2,
    noMulticast: 3,
    noUnicast: 4,
    noBroadcast: 5,
  },
  mac: { class: 1, setTable: 0, setAddress: 1 },
  vlan: { class: 2, add: 0, delete: 1 },
  ok: 0,
  error: 1,
} as const;
