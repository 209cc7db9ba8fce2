/** The split virtqueue in guest memory. Source: VIRTIO Version 1.2, section 2.7. */

/** An entry of the descriptor table. Section 2.7.5. */
export const descriptor = { address: 0, length: 8, flags: 12, next: 14, size: 16 } as const;

export const descriptorFlag = { next: 1, write: 2, indirect: 4 } as const;

/** The driver's ring of heads; `used_event` follows the last entry. Section 2.7.6. */
export const availableRing = { flags: 0, index: 2, ring: 4, entrySize: 2, noInterrupt: 1 } as const;

/** The device's ring of what it has used; `avail_event` follows the last entry. Section 2.7.8. */
export const usedRing = { flags: 0, index: 2, ring: 4, entrySize: 8, noNotify: 1 } as const;

/** Alignment of the three parts. Section 2.7. */
export const ringAlignment = { descriptors: 16, available: 2, used: 4 } as const;
