/** Frames on a byte stream between QEMU processes (`-netdev stream`). Source: QEMU's net/stream.c and net/net.c. */
export const frameStream = {
  /** Big-endian, the length of the frame that follows. */
  lengthBytes: 4,
  maxFrameBytes: 69_632,
} as const;
