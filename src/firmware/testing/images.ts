/** Synthetic kernel files, by the layouts of the specifications. */
import { put } from './guest.ts';

export interface LinuxImage {
  readonly version?: number;
  readonly xloadflags?: number;
  readonly loadflags?: number;
  readonly relocatable?: number;
  readonly alignment?: number;
  readonly minAlignment?: number;
  readonly preferred?: number | bigint;
  readonly initSize?: number;
  readonly commandLineSize?: number;
  readonly initrdAddressMax?: number;
  readonly code32Start?: number;
  readonly setupSectors?: number;
  readonly codeBytes?: number;
}

/** A bzImage like those of a distribution: 64-bit, relocatable, preferring 16 MiB. Its code bytes count up. */
export function linuxImage(fields: LinuxImage = {}): Uint8Array {
  const sectors = fields.setupSectors ?? 4;
  const codeBytes = fields.codeBytes ?? 0x4000;
  const start = (sectors + 1) * 512;
  const image = new Uint8Array(start + codeBytes);
  put(
    image,
    [0x1f1, 1, sectors],
    [0x1f4, 4, codeBytes / 16],
    [0x1fa, 2, 0x1234],
    [0x1fe, 2, 0xaa55],
    [0x200, 2, 0x66eb],
    [0x202, 4, 0x5372_6448],
    [0x206, 2, fields.version ?? 0x020f],
    [0x211, 1, fields.loadflags ?? 0x21],
    [0x214, 4, fields.code32Start ?? 0x10_0000],
    [0x22c, 4, fields.initrdAddressMax ?? 0x7fff_ffff],
    [0x230, 4, fields.alignment ?? 0x20_0000],
    [0x234, 1, fields.relocatable ?? 1],
    [0x235, 1, fields.minAlignment ?? 21],
    [0x236, 2, fields.xloadflags ?? 0x3f],
    [0x238, 4, fields.commandLineSize ?? 2047],
    [0x258, 8, fields.preferred ?? 0x100_0000],
    [0x260, 4, fields.initSize ?? 0x20_0000],
  );
  for (let index = 0; index < codeBytes; index++) image[start + index] = (index * 7 + 1) & 0xff;
  return image;
}

export interface ElfImage {
  readonly bits?: 32 | 64;
  readonly machine?: number;
  readonly entry?: number;
  readonly segments?: readonly ElfImageSegment[];
  /** Physical entry of a PVH note. */
  readonly pvhEntry?: number;
}

interface ElfImageSegment {
  readonly paddr: number;
  readonly vaddr?: number;
  readonly memsz?: number;
  readonly data: Uint8Array;
}

/** An executable with the given segments and, if wanted, a PVH note behind another note. */
export function elfImage(fields: ElfImage = {}): Uint8Array {
  const bits = fields.bits ?? 64;
  const segments = fields.segments ?? [{ paddr: 0x10_0000, memsz: 0x2000, data: new Uint8Array(0x1000).fill(0x90) }];
  const notes = fields.pvhEntry === undefined ? new Uint8Array(0) : noteSection(fields.pvhEntry, bits);
  const headerBytes = bits === 64 ? 64 : 52;
  const programBytes = bits === 64 ? 56 : 32;
  const count = segments.length + (notes.length > 0 ? 1 : 0);
  let offset = headerBytes + count * programBytes;
  const total = offset + notes.length + segments.reduce((sum, { data }) => sum + data.length, 0);
  const image = new Uint8Array(total);
  put(image, [0, 4, 0x464c_457f], [4, 1, bits / 32], [5, 1, 1], [6, 1, 1], [0x10, 2, 2]);
  put(image, [0x12, 2, fields.machine ?? (bits === 64 ? 62 : 3)], [0x14, 4, 1]);
  const word = bits === 64 ? 8 : 4;
  const at = bits === 64 ? { phoff: 0x20, size: 0x36, count: 0x38 } : { phoff: 0x1c, size: 0x2a, count: 0x2c };
  put(image, [0x18, word, fields.entry ?? 0x10_0000], [at.phoff, word, headerBytes]);
  put(image, [at.size, 2, programBytes], [at.count, 2, count]);
  const programs = [
    ...segments.map((segment) => ({ type: 1, ...segment })),
    ...(notes.length > 0 ? [{ type: 4, paddr: 0, data: notes }] : []),
  ] as readonly (ElfImageSegment & { type: number })[];
  for (const [index, { type, paddr, vaddr, memsz, data }] of programs.entries()) {
    const header = headerBytes + index * programBytes;
    const size = memsz ?? data.length;
    if (bits === 64) {
      put(image, [header, 4, type], [header + 8, 8, offset], [header + 16, 8, vaddr ?? paddr], [header + 24, 8, paddr]);
      put(image, [header + 32, 8, data.length], [header + 40, 8, size], [header + 48, 8, 4]);
    } else {
      put(image, [header, 4, type], [header + 4, 4, offset], [header + 8, 4, vaddr ?? paddr], [header + 12, 4, paddr]);
      put(image, [header + 16, 4, data.length], [header + 20, 4, size], [header + 28, 4, 4]);
    }
    image.set(data, offset);
    offset += data.length;
  }
  return image;
}

/** Two notes: "GNU" with three odd bytes, then "Xen" type 18. */
function noteSection(entry: number, bits: 32 | 64): Uint8Array {
  const descriptorBytes = bits === 64 ? 8 : 4;
  const section = new Uint8Array(20 + 16 + descriptorBytes);
  put(section, [0, 4, 4], [4, 4, 3], [8, 4, 3], [12, 4, 0x0055_4e47], [16, 4, 0x00aa_bbcc]);
  put(section, [20, 4, 4], [24, 4, descriptorBytes], [28, 4, 18], [32, 4, 0x006e_6558]);
  put(section, [36, bits === 64 ? 8 : 4, entry]);
  return section;
}

/** The words of a multiboot header with a right checksum. */
export function multibootHeader(flags: number, addresses: readonly number[] = []): Uint8Array {
  const header = new Uint8Array(12 + addresses.length * 4);
  put(header, [0, 4, 0x1bad_b002], [4, 4, flags], [8, 4, -(0x1bad_b002 + flags) >>> 0]);
  for (const [index, address] of addresses.entries()) put(header, [12 + index * 4, 4, address]);
  return header;
}
