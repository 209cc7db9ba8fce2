/** What the structures of a VHDX image have in common: a signature, and mostly a checksum of the whole. */

import { startsWith, viewOf } from '../../binary.ts';
import { crc32c } from '../crc32c.ts';

/** Whether `bytes` begin with `signature` and their CRC-32C, computed with zeroes in its place, is that at `field`. */
export function isIntact(bytes: Uint8Array, signature: string, field: number): boolean {
  if (!startsWith(bytes, signature)) return false;
  const stored = viewOf(bytes).getUint32(field, true);
  bytes.fill(0, field, field + 4);
  const computed = crc32c(bytes);
  viewOf(bytes).setUint32(field, stored, true);
  return computed === stored;
}
