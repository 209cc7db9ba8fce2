/** What all virtio devices share. Source: Virtual I/O Device (VIRTIO) Version 1.2, chapters 2, 5 and 6. */

/** Device IDs. Chapter 5. */
export const virtioDeviceId = {
  network: 1,
  block: 2,
  console: 3,
  entropy: 4,
  balloon: 5,
  fileSystem9p: 9,
  socket: 19,
} as const;

/** Bits of the device status field. Section 2.1. */
export const virtioStatus = {
  acknowledge: 0x01,
  driver: 0x02,
  driverOk: 0x04,
  featuresOk: 0x08,
  needsReset: 0x40,
  failed: 0x80,
} as const;

/** Feature bits that belong to no device type. Chapter 6. */
export const virtioFeature = {
  indirectDescriptors: 1n << 28n,
  eventIndex: 1n << 29n,
  version1: 1n << 32n,
} as const;

/** Largest queue. Section 2.7. */
export const maxQueueSize = 32_768;
