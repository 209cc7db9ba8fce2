/** The network device. Source: virtio 1.2 5.1. */
export const virtioNetDeviceId = 1;

/** Feature bits. Section 5.1.3. */
export const virtioNetFeature = {
  checksum: 0,
  guestChecksum: 1,
  mtu: 3,
  mac: 5,
  guestTso4: 7,
  guestTso6: 8,
  guestEcn: 9,
  hostTso4: 11,
  hostTso6: 12,
  hostEcn: 13,
  mergeReceiveBuffers: 15,
  status: 16,
  controlQueue: 17,
  controlReceive: 18,
  controlVlan: 19,
  controlReceiveExtra: 20,
  controlMacAddress: 23,
} as const;

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
