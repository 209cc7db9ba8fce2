/** Hyper-V disks. Source: [MS-VHDX] v20240423; little-endian, places in bytes. */
export const vhdxSignature = 'vhdxfile';

/** Section 2.2: what lies in the first mebibyte. */
export const vhdxLayout = {
  headers: [0x1_0000, 0x2_0000],
  headerBytes: 0x1000,
  regionTables: [0x3_0000, 0x4_0000],
  regionTableBytes: 0x1_0000,
  /** Regions, the log and blocks begin at multiples of this, and not at 0. */
  alignment: 0x10_0000,
} as const;

/** Section 2.2.2. The checksum of this and of the other structures is CRC-32C, computed with a checksum of 0. */
export const vhdxHeader = {
  signature: 'head',
  checksum: 4,
  sequence: 8,
  logGuid: 48,
  logVersion: 64,
  version: 66,
  logBytes: 68,
  logOffset: 72,
} as const;

export const vhdxVersion = 1;
export const vhdxLogVersion = 0;

/** Section 2.2.3. */
export const vhdxRegion = {
  signature: 'regi',
  checksum: 4,
  count: 8,
  mostEntries: 2047,
  firstEntry: 16,
  entryBytes: 32,
  guid: 0,
  offset: 16,
  length: 24,
  required: 28,
} as const;

export const vhdxRegionGuid = {
  blockTable: '2dc27766-f623-4200-9d64-115e9bfd4a08',
  metadata: '8b7ca206-4790-4b9a-b8fe-575f050f886e',
} as const;

/** Section 2.6.1. */
export const vhdxMetadata = {
  signature: 'metadata',
  tableBytes: 0x1_0000,
  count: 10,
  mostEntries: 2047,
  firstEntry: 32,
  entryBytes: 32,
  guid: 0,
  offset: 16,
  length: 20,
  flags: 24,
  required: 0x4,
} as const;

/** Section 2.6.2. */
export const vhdxMetadataGuid = {
  fileParameters: 'caa16737-fa36-4d43-b3b6-33f0aa44e76b',
  diskBytes: '2fa54224-cd1b-4876-b211-5dbed83bf4b8',
  diskId: 'beca12ab-b2e6-4523-93ef-c309e000c746',
  logicalSector: '8141bf1d-a96f-4709-ba47-f233a8faab5f',
  physicalSector: 'cda348c7-445d-4471-9cc9-e9885251c556',
  parentLocator: 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c',
} as const;

export const vhdxFileParameters = {
  bytes: 8,
  blockBytes: 0,
  flags: 4,
  hasParent: 0x2,
  leastBlockBytes: 0x10_0000,
  mostBlockBytes: 0x1000_0000,
} as const;

export const vhdxMostDiskBytes = 64 * 2 ** 40;

/** Section 2.5. After the entries of a chunk of payload blocks comes one of a block of sector bitmaps. */
export const vhdxBlockTable = { entryBytes: 8, stateMask: 0x7, offsetShift: 20n, chunkSectors: 2 ** 23 } as const;

/** Section 2.5.1.1; 5 is what version 0.95 of the specification had for `unmapped`. */
export const vhdxBlockState = {
  notPresent: 0,
  undefined: 1,
  zero: 2,
  unmapped: 3,
  unmappedOld: 5,
  present: 6,
  partlyPresent: 7,
} as const;

/** Section 2.3.1. */
export const vhdxLog = {
  sectorBytes: 0x1000,
  entrySignature: 'loge',
  checksum: 4,
  entryBytes: 8,
  tail: 12,
  sequence: 16,
  descriptorCount: 24,
  guid: 32,
  flushedFileBytes: 48,
  lastFileBytes: 56,
  headerBytes: 64,
} as const;

export const vhdxLogDescriptor = {
  bytes: 32,
  zeroSignature: 'zero',
  dataSignature: 'desc',
  /** The last bytes of a data sector, and the first: their place in the log holds signature and sequence number. */
  trailing: 4,
  trailingBytes: 4,
  leading: 8,
  leadingBytes: 8,
  zeroBytes: 8,
  fileOffset: 16,
  sequence: 24,
} as const;

export const vhdxLogData = { signature: 'data', sequenceHigh: 4, sequenceLow: 4092 } as const;
