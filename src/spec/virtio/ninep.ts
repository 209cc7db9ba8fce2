/** 9P transport device. Sources: Linux, include/uapi/linux/virtio_9p.h; QEMU, hw/9pfs/virtio-9p-device.c. */

export const ninepFeature = { mountTag: 1n << 0n } as const;

/** Configuration: the length of the tag, and the tag, which no NUL ends. */
export const ninepConfig = { tagLength: 0, tag: 2 } as const;

/** One queue: each chain is a request and the room for its reply. */
export const ninepQueueSize = 128;
