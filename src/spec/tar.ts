/**
 * Tar archives: blocks of 512 bytes, a header before each member, two blocks of zeroes at the end. Sources: POSIX.1-2017
 * pax (ustar and extended headers), the GNU tar manual ("Basic Tar Format").
 */
export const tarBlockBytes = 512;

/** Offset and length of a header's fields. Numbers are octal text, or base 256 if the first byte has its top bit set. */
export const tarField = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  modifyTime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkName: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
} as const;

export const tarMagic = { ustar: 'ustar\0', gnu: 'ustar  \0' } as const;

export const tarType = {
  regular: '0',
  oldRegular: '\0',
  hardLink: '1',
  symlink: '2',
  characterDevice: '3',
  blockDevice: '4',
  directory: '5',
  fifo: '6',
  contiguous: '7',
  /** GNU: the next member's link name and name, when they are too long for its header. */
  longLinkName: 'K',
  longName: 'L',
  /** POSIX: records about the next member, and about all that follow. */
  extended: 'x',
  globalExtended: 'g',
} as const;

/** What GNU tar calls the members that carry long names. */
export const tarLongNameMember = '././@LongLink';
