/**
 * 9P2000.L. Sources: Plan 9 manual section 5 (version, attach, walk, read, write, clunk, remove, flush), the protocol
 * description of diod for the `.L` messages, and include/net/9p/9p.h of Linux for the numbers.
 *
 * Every message is size[4] type[1] tag[2] and then the fields below, in that order, little-endian. Kinds of fields:
 * `string` is length[2] and bytes; `strings` is count[2] and strings; `data` is length[4] and bytes; `qid` is type[1]
 * version[4] path[8]; `qids` is count[2] and qids. The type of a reply is that of its request plus 1.
 */
export const ninepMessages = {
  statfs: {
    type: 8,
    request: { fid: 'u32' },
    reply: {
      type: 'u32',
      blockBytes: 'u32',
      blocks: 'u64',
      freeBlocks: 'u64',
      availableBlocks: 'u64',
      files: 'u64',
      freeFiles: 'u64',
      fileSystemId: 'u64',
      longestName: 'u32',
    },
  },
  lopen: { type: 12, request: { fid: 'u32', flags: 'u32' }, reply: { qid: 'qid', ioUnit: 'u32' } },
  lcreate: {
    type: 14,
    request: { fid: 'u32', name: 'string', flags: 'u32', mode: 'u32', gid: 'u32' },
    reply: { qid: 'qid', ioUnit: 'u32' },
  },
  symlink: {
    type: 16,
    request: { directoryFid: 'u32', name: 'string', target: 'string', gid: 'u32' },
    reply: { qid: 'qid' },
  },
  mknod: {
    type: 18,
    request: { directoryFid: 'u32', name: 'string', mode: 'u32', major: 'u32', minor: 'u32', gid: 'u32' },
    reply: { qid: 'qid' },
  },
  rename: { type: 20, request: { fid: 'u32', directoryFid: 'u32', name: 'string' }, reply: {} },
  readlink: { type: 22, request: { fid: 'u32' }, reply: { target: 'string' } },
  getattr: {
    type: 24,
    request: { fid: 'u32', mask: 'u64' },
    reply: {
      valid: 'u64',
      qid: 'qid',
      mode: 'u32',
      uid: 'u32',
      gid: 'u32',
      links: 'u64',
      device: 'u64',
      sizeBytes: 'u64',
      blockBytes: 'u64',
      blocks: 'u64',
      accessSeconds: 'u64',
      accessNanoseconds: 'u64',
      modifySeconds: 'u64',
      modifyNanoseconds: 'u64',
      changeSeconds: 'u64',
      changeNanoseconds: 'u64',
      birthSeconds: 'u64',
      birthNanoseconds: 'u64',
      generation: 'u64',
      dataVersion: 'u64',
    },
  },
  setattr: {
    type: 26,
    request: {
      fid: 'u32',
      valid: 'u32',
      mode: 'u32',
      uid: 'u32',
      gid: 'u32',
      sizeBytes: 'u64',
      accessSeconds: 'u64',
      accessNanoseconds: 'u64',
      modifySeconds: 'u64',
      modifyNanoseconds: 'u64',
    },
    reply: {},
  },
  xattrwalk: { type: 30, request: { fid: 'u32', newFid: 'u32', name: 'string' }, reply: { sizeBytes: 'u64' } },
  xattrcreate: { type: 32, request: { fid: 'u32', name: 'string', sizeBytes: 'u64', flags: 'u32' }, reply: {} },
  readdir: { type: 40, request: { fid: 'u32', offset: 'u64', count: 'u32' }, reply: { data: 'data' } },
  fsync: { type: 50, request: { fid: 'u32', dataOnly: 'u32' }, reply: {} },
  lock: {
    type: 52,
    request: {
      fid: 'u32',
      type: 'u8',
      flags: 'u32',
      start: 'u64',
      length: 'u64',
      processId: 'u32',
      clientId: 'string',
    },
    reply: { status: 'u8' },
  },
  getlock: {
    type: 54,
    request: { fid: 'u32', type: 'u8', start: 'u64', length: 'u64', processId: 'u32', clientId: 'string' },
    reply: { type: 'u8', start: 'u64', length: 'u64', processId: 'u32', clientId: 'string' },
  },
  link: { type: 70, request: { directoryFid: 'u32', fid: 'u32', name: 'string' }, reply: {} },
  mkdir: {
    type: 72,
    request: { directoryFid: 'u32', name: 'string', mode: 'u32', gid: 'u32' },
    reply: { qid: 'qid' },
  },
  renameat: {
    type: 74,
    request: { oldDirectoryFid: 'u32', oldName: 'string', newDirectoryFid: 'u32', newName: 'string' },
    reply: {},
  },
  unlinkat: { type: 76, request: { directoryFid: 'u32', name: 'string', flags: 'u32' }, reply: {} },
  version: {
    type: 100,
    request: { msize: 'u32', version: 'string' },
    reply: { msize: 'u32', version: 'string' },
  },
  auth: {
    type: 102,
    request: { authFid: 'u32', userName: 'string', treeName: 'string', userId: 'u32' },
    reply: { qid: 'qid' },
  },
  attach: {
    type: 104,
    request: { fid: 'u32', authFid: 'u32', userName: 'string', treeName: 'string', userId: 'u32' },
    reply: { qid: 'qid' },
  },
  flush: { type: 108, request: { oldTag: 'u16' }, reply: {} },
  walk: { type: 110, request: { fid: 'u32', newFid: 'u32', names: 'strings' }, reply: { qids: 'qids' } },
  read: { type: 116, request: { fid: 'u32', offset: 'u64', count: 'u32' }, reply: { data: 'data' } },
  write: { type: 118, request: { fid: 'u32', offset: 'u64', data: 'data' }, reply: { count: 'u32' } },
  clunk: { type: 120, request: { fid: 'u32' }, reply: {} },
  remove: { type: 122, request: { fid: 'u32' }, reply: {} },
} as const;

/** Rlerror: the reply to any request that failed. */
export const ninepError = { type: 7, reply: { errno: 'u32' } } as const;

export const ninepHeaderBytes = 7;
export const ninepQidBytes = 13;
export const ninepVersion = '9P2000.L';
/** The answer to a version that is not spoken here. */
export const ninepUnknownVersion = 'unknown';
export const ninepNoTag = 0xffff;
export const ninepNoFid = 0xffff_ffff;
/** The most names a walk may have. */
export const ninepMostNames = 16;
/** What Linux reserves of `msize` for the header of a read or a write (P9_IOHDRSZ). */
export const ninepIoHeaderBytes = 24;
/** Rread and Rreaddir before their data: the header and count[4]. */
export const ninepDataReplyBytes = 11;
/** A directory entry: qid[13] offset[8] type[1] name[s]. */
export const ninepEntryBytes = 24;
export const ninepLongestName = 255;

export const ninepQidType = { directory: 0x80, symlink: 0x02, file: 0x00 } as const;

/** Bits of `flags` in lopen and lcreate; the same on every processor. */
export const ninepOpen = {
  accessMask: 0o3,
  readOnly: 0o0,
  writeOnly: 0o1,
  readWrite: 0o2,
  exclusive: 0o200,
  truncate: 0o1000,
  append: 0o2000,
  dataSync: 0o10000,
  directory: 0o200000,
  sync: 0o4000000,
} as const;

/** Bits of `valid` in setattr. A time without its `set` bit becomes the server's current time. */
export const ninepSetAttribute = {
  mode: 0x001,
  uid: 0x002,
  gid: 0x004,
  size: 0x008,
  accessTime: 0x010,
  modifyTime: 0x020,
  changeTime: 0x040,
  accessTimeSet: 0x080,
  modifyTimeSet: 0x100,
} as const;

/** Bits of `mask` and `valid` in getattr. */
export const ninepGetAttribute = { basic: 0x7ffn, birthTime: 0x800n } as const;

export const ninepUnlink = { removeDirectory: 0x200 } as const;

export const ninepLockType = { read: 0, write: 1, unlock: 2 } as const;
export const ninepLockStatus = { success: 0, blocked: 1, error: 2, grace: 3 } as const;

/** `type` in statfs. Source: linux/magic.h (V9FS_MAGIC). */
export const ninepFileSystemType = 0x01021997;

/** File types in `mode`, and the permission bits. Source: linux/stat.h. */
export const linuxMode = {
  typeMask: 0o170000,
  directory: 0o040000,
  regular: 0o100000,
  symlink: 0o120000,
  setUserId: 0o4000,
  setGroupId: 0o2000,
  sticky: 0o1000,
  permissions: 0o777,
} as const;

/** Types of directory entries. Source: dirent.h (DT_*). */
export const linuxEntryType = { unknown: 0, directory: 4, regular: 8, symlink: 10 } as const;

/** open(2): a handle that stands for a file without opening it. Source: asm-generic/fcntl.h. */
export const linuxOpenPath = 0o10000000;
