/** The virtio memory balloon. Source: VIRTIO Version 1.2, section 5.5. */

/** Section 5.5.3. */
export const balloonFeature = {
  statistics: 1n << 1n,
  deflateOnOom: 1n << 2n,
  pageReporting: 1n << 5n,
} as const;

/** Section 5.5.4. */
export const balloonConfig = { target: 0, actual: 4, size: 16 } as const;

/** Section 5.5.2. Drivers count the reporting queue behind those that are there, or as if all were. */
export const balloonQueue = {
  inflate: 0,
  deflate: 1,
  statistics: 2,
  reporting: 3,
  reportingOfAll: 4,
  count: 5,
} as const;

/** Pages of the balloon have 4096 bytes, whatever the guest's have. Section 5.5.6. */
export const balloonPageBytes = 4096;

/** A statistic: a 16-bit tag and a 64-bit value. Section 5.5.6.3. */
export const balloonStatistic = { tag: 0, value: 2, size: 10 } as const;

/** Tags, by what they count: bytes, or events. Section 5.5.6.4. */
export const balloonStatisticTags = [
  'swapInBytes',
  'swapOutBytes',
  'majorFaults',
  'minorFaults',
  'freeBytes',
  'totalBytes',
  'availableBytes',
  'diskCacheBytes',
  'hugePageAllocations',
  'hugePageFailures',
] as const;

/** PCI class: memory controller, RAM. */
export const balloonClass = 0x05_00_00;
