/** Virtio over PCI, without the legacy interface. Source: VIRTIO Version 1.2, section 4.1. */

/** Section 4.1.2. */
export const virtioPciId = { vendor: 0x1af4, firstDevice: 0x1040, revision: 1 } as const;

/** Types of vendor capabilities. Section 4.1.4. */
export const virtioCapability = { common: 1, notify: 2, isr: 3, device: 4, pciAccess: 5 } as const;

/** A vendor capability, from its first byte on. Section 4.1.4. */
export const virtioCapabilityField = {
  length: 2,
  type: 3,
  bar: 4,
  id: 5,
  offset: 8,
  regionLength: 12,
  size: 16,
  /** Notification capability: bytes between two queues' doorbells. Section 4.1.4.4. */
  notifyMultiplier: 16,
  /** PCI configuration access capability: the window to the BAR. Section 4.1.4.9. */
  pciData: 16,
} as const;

/** The common configuration structure. Section 4.1.4.3. */
export const virtioCommon = {
  deviceFeatureSelect: 0x00,
  deviceFeature: 0x04,
  driverFeatureSelect: 0x08,
  driverFeature: 0x0c,
  configVector: 0x10,
  queueCount: 0x12,
  deviceStatus: 0x14,
  configGeneration: 0x15,
  queueSelect: 0x16,
  queueSize: 0x18,
  queueVector: 0x1a,
  queueEnable: 0x1c,
  queueNotifyOffset: 0x1e,
  queueDescriptors: 0x20,
  queueDriver: 0x28,
  queueDevice: 0x30,
  size: 0x38,
} as const;

/** No MSI-X vector. Section 4.1.5.1.2. */
export const virtioNoVector = 0xffff;

/** ISR status. Section 4.1.4.5. */
export const virtioIsr = { queue: 1, config: 2 } as const;
