/** Network block devices. Source: "The NBD protocol" (doc/proto.md of the reference implementation); big-endian. */
export const nbdPort = 10809;

/** Text in the protocol is UTF-8, and at most so long. */
export const nbdMostTextBytes = 4096;

export const nbdMagic = {
  /** "NBDMAGIC", what every server begins with. */
  server: 0x4e42_444d_4147_4943n,
  /** "IHAVEOPT". */
  newStyle: 0x4948_4156_454f_5054n,
  oldStyle: 0x0000_4202_8186_1253n,
  optionReply: 0x0003_e889_0455_65a9n,
  request: 0x2560_9513,
  simpleReply: 0x6744_6698,
  chunk: 0x668e_33ef,
} as const;

/** Flags of the handshake; the client's answer has the same bits. */
export const nbdHandshake = { fixedNewStyle: 0x1, noZeroes: 0x2 } as const;

export const nbdOption = { abort: 2, go: 7, structuredReply: 8, setMetaContext: 10 } as const;

export const nbdOptionReply = {
  ack: 1,
  info: 3,
  metaContext: 4,
  /** Set in all that refuse. */
  error: 0x8000_0000,
  unsupported: 0x8000_0001,
  policy: 0x8000_0002,
  tlsRequired: 0x8000_0005,
  unknownExport: 0x8000_0006,
  shutdown: 0x8000_0007,
  blockSizeRequired: 0x8000_0008,
} as const;

export const nbdInfo = { export: 0, exportBytes: 12, blockSize: 3, blockSizeBytes: 14 } as const;

/** What holds where the server does not say block sizes. */
export const nbdBlockSize = { mostMinimum: 0x1_0000, mostPayload: 32 * 2 ** 20 } as const;

export const nbdMetaContext = 'base:allocation';

/** Transmission flags. */
export const nbdFlag = {
  hasFlags: 0x01,
  readOnly: 0x02,
  flush: 0x04,
  fua: 0x08,
  trim: 0x20,
  writeZeroes: 0x40,
} as const;

export const nbdCommand = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  writeZeroes: 6,
  blockStatus: 7,
} as const;

export const nbdCommandFlag = { fua: 0x1, noHole: 0x2, oneExtent: 0x8 } as const;

/** Request { u32 magic, u16 flags, u16 command, u64 cookie, u64 offset, u32 length }, then the data of a write. */
export const nbdRequest = { bytes: 28, flags: 4, command: 6, cookie: 8, offset: 16, length: 24 } as const;

/** Simple reply { u32 magic, u32 error, u64 cookie }, then the data of a read. */
export const nbdSimpleReply = { bytes: 16, error: 4, cookie: 8 } as const;

/** Chunk of a structured reply { u32 magic, u16 flags, u16 type, u64 cookie, u32 length }, then `length` bytes. */
export const nbdChunk = { bytes: 20, flags: 4, type: 6, cookie: 8, length: 16, done: 0x1 } as const;

export const nbdChunkType = {
  none: 0,
  /** { u64 offset, data } */
  data: 1,
  /** { u64 offset, u32 length } */
  hole: 2,
  /** { u32 context, { u32 length, u32 flags } … } */
  blockStatus: 5,
  /** Set in all that say what went wrong: { u32 error, u16 length, text … }. */
  error: 0x8000,
} as const;

/** Flags of an extent in `base:allocation`. */
export const nbdExtent = { hole: 0x1, zero: 0x2 } as const;

export const nbdError = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;
