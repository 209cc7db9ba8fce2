/** Capture files. Source: pcap-savefile(5). */
export const pcapFile = {
  /** Time stamps in seconds and nanoseconds. */
  magic: 0xa1b2_3c4d,
  majorVersion: 2,
  minorVersion: 4,
  snapshotBytes: 262_144,
  /** LINKTYPE_ETHERNET. */
  linkType: 1,
  headerBytes: 24,
  recordHeaderBytes: 16,
} as const;
