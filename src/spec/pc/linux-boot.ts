/** The Linux/x86 boot protocol. Linux Documentation/arch/x86/boot.rst and zero-page.rst. */

/** Offsets of the setup header's fields, in the kernel file and in boot_params alike. */
export const setupHeader = {
  start: 0x1f1,
  setupSectors: 0x1f1,
  systemSizeParagraphs: 0x1f4,
  videoMode: 0x1fa,
  bootFlag: 0x1fe,
  /** The second byte of the jump tells where the header ends, relative to `magic`. */
  jumpDistance: 0x201,
  magic: 0x202,
  version: 0x206,
  kernelVersion: 0x20e,
  typeOfLoader: 0x210,
  loadFlags: 0x211,
  code32Start: 0x214,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  commandLinePointer: 0x228,
  initrdAddressMax: 0x22c,
  kernelAlignment: 0x230,
  relocatableKernel: 0x234,
  minAlignment: 0x235,
  extendedLoadFlags: 0x236,
  commandLineSize: 0x238,
  setupData: 0x250,
  preferredAddress: 0x258,
  initSize: 0x260,
  /** Up to here every header that this loader accepts must reach, and none reaches beyond `limit`. */
  end: 0x264,
  limit: 0x290,
} as const;

export const linuxBoot = {
  bootFlagValue: 0xaa55,
  /** "HdrS". */
  magicValue: 0x5372_6448,
  /** First protocol with the command line pointer, with fields of any size, and with the 64-bit entry. */
  version202: 0x0202,
  version206: 0x0206,
  version210: 0x020a,
  version212: 0x020c,
  sectorBytes: 512,
  paragraphBytes: 16,
  /** What a `setupSectors` of zero means. */
  defaultSetupSectors: 4,
  loadedHigh: 1 << 0,
  quiet: 1 << 5,
  kernel64: 1 << 0,
  loaderUndefined: 0xff,
  videoModeNormal: 0xffff,
  /** Where a bzImage goes if nothing else is asked for. */
  defaultLoadAddress: 0x10_0000,
  entry64Offset: 0x200,
  oldCommandLineSize: 255,
  oldInitrdAddressMax: 0x37ff_ffff,
  bootCodeSelector: 0x10,
  bootDataSelector: 0x18,
} as const;

/** Offsets in struct boot_params ("zero page") outside the setup header. */
export const bootParams = {
  bytes: 4096,
  acpiRsdpAddress: 0x070,
  e820Entries: 0x1e8,
  e820Table: 0x2d0,
  e820EntryBytes: 20,
  e820MaxEntries: 128,
} as const;

/** Headers of Linux images for other machines, so that they can be named. Documentation/arch/{arm64,riscv}. */
export const foreignImages = [
  { offset: 0x38, magic: 'ARM\x64', machine: '64-bit ARM' },
  { offset: 0x38, magic: 'RSC\x05', machine: 'RISC-V' },
  { offset: 0x24, magic: '\x18\x28\x6f\x01', machine: '32-bit ARM' },
] as const;
