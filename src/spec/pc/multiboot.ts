/** Multiboot Specification version 0.6.96 (Multiboot 1). */
export const multiboot = {
  headerMagic: 0x1bad_b002,
  /** In EAX at the entry. */
  bootMagic: 0x2bad_b002,
  /** The header lies in the first 8192 bytes, on a 4-byte boundary. */
  searchBytes: 8192,
  alignModules: 1 << 0,
  wantMemory: 1 << 1,
  wantVideo: 1 << 2,
  addressFields: 1 << 16,
  /** Flags that a loader has to understand or else refuse. */
  mandatoryMask: 0xffff,
} as const;

/** Offsets of header fields. */
export const multibootHeader = {
  magic: 0,
  flags: 4,
  checksum: 8,
  /** From here on with `addressFields` only. */
  headerAddress: 12,
  loadAddress: 16,
  loadEnd: 20,
  bssEnd: 24,
  entry: 28,
  shortBytes: 12,
  bytes: 32,
} as const;

/** The information structure: offsets and the flags that say which fields are valid. */
export const multibootInfo = {
  bytes: 120,
  flags: 0,
  memLower: 4,
  memUpper: 8,
  commandLine: 16,
  moduleCount: 20,
  modules: 24,
  mapLength: 44,
  mapAddress: 48,
  loaderName: 64,
  hasMemory: 1 << 0,
  hasCommandLine: 1 << 2,
  hasModules: 1 << 3,
  hasMap: 1 << 6,
  hasLoaderName: 1 << 9,
  moduleBytes: 16,
  mapEntryBytes: 24,
} as const;
