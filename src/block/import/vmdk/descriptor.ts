/**
 * The text that describes a VMware disk: a file of its own, or embedded in the only extent. Lines are comments, pairs
 * of key and value, and extents: `RW 4192256 SPARSE "disk-s001.vmdk"`. Source: Virtual Disk Format 5.0, "The Descriptor File".
 */
import { vmdkNoParent } from '../../../spec/vmdk.ts';
import { latin1 } from '../../binary.ts';

/** Much more than a descriptor of the most extents that we take. */
export const mostDescriptorBytes = 1 << 20;

export interface ExtentLine {
  readonly type: string;
  readonly access: string;
  readonly sectors: number;
  /** Empty for extents that are no file. */
  readonly path: string;
  /** Where a flat extent begins in its file. */
  readonly firstSector: number;
}

export interface Descriptor {
  readonly hasParent: boolean;
  readonly extents: readonly ExtentLine[];
}

const extentPattern = /^(RW|RDONLY|NOACCESS)\s+(\d{1,15})\s+(\w+)(?:\s+"([^"]*)"(?:\s+(\d{1,15}))?)?/;
const parentPattern = /^parentCID\s*=\s*"?(\w*)/i;

/** Whether an image that begins with these bytes is a descriptor: comments and empty lines, then a version. */
export function isDescriptor(bytes: Uint8Array): boolean {
  const lines = latin1(bytes).split('\n');
  const first = lines.find((line) => line.trim() !== '' && !line.startsWith('#'));
  return first !== undefined && /^version\s*=\s*[123]\s*$/i.test(first);
}

/** @param bytes the text; what follows a zero byte is padding */
export function parseDescriptor(bytes: Uint8Array): Descriptor {
  const end = bytes.indexOf(0);
  const lines = latin1(end < 0 ? bytes : bytes.subarray(0, end)).split('\n');
  const extents: ExtentLine[] = [];
  let hasParent = false;
  for (const line of lines) {
    const parent = parentPattern.exec(line.trim());
    if (parent !== null) hasParent = parent[1]?.toLowerCase() !== vmdkNoParent;
    const extent = extentPattern.exec(line.trim());
    if (extent === null) continue;
    const [, access = '', sectors, type = '', path = '', firstSector = '0'] = extent;
    extents.push({
      type: type.toUpperCase(),
      access,
      sectors: Number(sectors),
      path,
      firstSector: Number(firstSector),
    });
  }
  return { hasParent, extents };
}
