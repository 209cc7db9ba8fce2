/** CRC-32C (Castagnoli), RFC 3720 section 12.1. */
const reflectedPolynomial = 0x82f6_3b78;

/** Four tables of 256: `tables[n * 256 + b]` is the checksum of byte b followed by n zero bytes. */
const tables = makeTables();

function makeTables(): Uint32Array {
  const made = new Uint32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ ((value & 1) * reflectedPolynomial);
    made[byte] = value;
  }
  for (let at = 256; at < made.length; at++) {
    const before = made[at - 256] as number;
    made[at] = (before >>> 8) ^ (made[before & 0xff] as number);
  }
  return made;
}

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    crc ^= a | (b << 8) | (c << 16) | (d << 24);
    crc =
      (tables[768 + (crc & 0xff)] as number) ^
      (tables[512 + ((crc >>> 8) & 0xff)] as number) ^
      (tables[256 + ((crc >>> 16) & 0xff)] as number) ^
      (tables[crc >>> 24] as number);
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ (tables[(crc ^ (bytes[at] as number)) & 0xff] as number);
  return ~crc >>> 0;
}
