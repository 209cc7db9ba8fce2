/** What of a Zstandard frame has to be known to find its end. Source: RFC 8878, 3.1.1. */
export const zstdMagic = 0xfd2f_b528;

/** Frame_Header_Descriptor, the byte after the magic number. */
export const zstdDescriptor = {
  contentSizeShift: 6,
  singleSegment: 0x20,
  checksum: 0x04,
  dictionaryMask: 0x03,
} as const;

/** Bytes of Frame_Content_Size by its flag (0 means 1 in a single segment), and of Dictionary_ID by its. */
export const zstdContentSizeBytes = [0, 2, 4, 8] as const;
export const zstdDictionaryBytes = [0, 1, 2, 4] as const;

/** Block_Header: three bytes, little-endian. */
export const zstdBlock = { headerBytes: 3, last: 0x1, typeShift: 1, typeMask: 0x3, sizeShift: 3, typeRle: 1 } as const;

export const zstdChecksumBytes = 4;
