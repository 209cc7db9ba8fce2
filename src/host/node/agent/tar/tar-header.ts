/** Headers of tar members, written as GNU tar writes them and read as anybody does. Names are byte strings. */
import { tarBlockBytes, tarField, tarLongNameMember, tarMagic, tarType } from '../../../../spec/tar.ts';
import { fail, ok, type Result } from '../../../../support/result.ts';

export interface TarMember {
  readonly name: string;
  /** One of `tarType`. */
  readonly type: string;
  readonly mode: number;
  readonly sizeBytes: number;
  /** Since 1970; before it is negative. */
  readonly modifySeconds: number;
  /** Of links. */
  readonly linkName: string;
}

type Field = readonly [offset: number, length: number];

/** The header of `member`, with members before it for names that do not fit. Owner and group are 0 and nameless. */
export function encodeHeader(member: TarMember): Uint8Array {
  const long = [
    ...(member.linkName.length > tarField.linkName[1] ? [longName(tarType.longLinkName, member.linkName)] : []),
    ...(member.name.length > tarField.name[1] ? [longName(tarType.longName, member.name)] : []),
  ];
  return Buffer.concat([...long, encodeBlock(member)]);
}

function longName(type: string, name: string): Buffer {
  const size = name.length + 1;
  const content = Buffer.alloc(padded(size));
  content.write(name, 'latin1');
  const header = { name: tarLongNameMember, type, mode: 0, sizeBytes: size, modifySeconds: 0, linkName: '' };
  return Buffer.concat([encodeBlock(header), content]);
}

function encodeBlock(member: TarMember): Buffer {
  const block = Buffer.alloc(tarBlockBytes);
  const text = ([offset, length]: Field, value: string): void => void block.write(value, offset, length, 'latin1');
  text(tarField.name, member.name);
  number(block, tarField.mode, member.mode);
  number(block, tarField.uid, 0);
  number(block, tarField.gid, 0);
  number(block, tarField.size, member.sizeBytes);
  number(block, tarField.modifyTime, member.modifySeconds);
  text(tarField.type, member.type);
  text(tarField.linkName, member.linkName);
  text(tarField.magic, tarMagic.gnu);
  text(tarField.checksum, `${checksum(block).toString(8).padStart(6, '0')}\0 `);
  return block;
}

function number(block: Buffer, [offset, length]: Field, value: number): void {
  const octal = value.toString(8).padStart(length - 1, '0');
  if (value >= 0 && octal.length < length) {
    block.write(octal, offset, 'latin1');
    return;
  }
  let rest = BigInt.asUintN(8 * length - 1, BigInt(value));
  for (let i = length - 1; i >= 0; i--) {
    block[offset + i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[offset] = (block[offset] as number) | 0x80;
}

/** All bytes of the header, the checksum itself taken for spaces. */
function checksum(block: Uint8Array): number {
  const [offset, length] = tarField.checksum;
  return block.reduce((sum, byte, i) => sum + (i >= offset && i < offset + length ? 0x20 : byte), 0);
}

/** @returns undefined for a block of zeroes, which ends an archive. Errors: kind `archive`. */
export function decodeHeader(block: Buffer): Result<TarMember | undefined> {
  if (block.every((byte) => byte === 0)) return ok(undefined);
  if (parseNumber(block, tarField.checksum) !== checksum(block)) return fail('archive', 'a header is damaged');
  const sizeBytes = parseNumber(block, tarField.size);
  const mode = parseNumber(block, tarField.mode);
  const modifySeconds = parseNumber(block, tarField.modifyTime);
  if (sizeBytes === undefined || sizeBytes < 0 || mode === undefined || modifySeconds === undefined) {
    return fail('archive', 'a header has a number that is none');
  }
  const posix = text(block, tarField.magic).startsWith('ustar') && block[tarField.magic[0] + 5] === 0;
  const prefix = posix ? text(block, tarField.prefix) : '';
  const name = text(block, tarField.name);
  return ok({
    name: prefix === '' ? name : `${prefix}/${name}`,
    type: block.toString('latin1', tarField.type[0], tarField.type[0] + 1),
    mode,
    sizeBytes,
    modifySeconds,
    linkName: text(block, tarField.linkName),
  });
}

function text(block: Buffer, [offset, length]: Field): string {
  const field = block.toString('latin1', offset, offset + length);
  const end = field.indexOf('\0');
  return end < 0 ? field : field.slice(0, end);
}

/** @returns undefined for what is no number, or none that fits */
function parseNumber(block: Buffer, field: Field): number | undefined {
  const [offset, length] = field;
  if (((block[offset] ?? 0) & 0x80) !== 0) {
    let value = 0n;
    for (let i = 0; i < length; i++) value = (value << 8n) | BigInt(block[offset + i] ?? 0);
    const signed = Number(BigInt.asIntN(8 * length - 1, value));
    return Number.isSafeInteger(signed) ? signed : undefined;
  }
  const octal = text(block, field).trim();
  if (octal === '') return 0;
  return /^[0-7]+$/.test(octal) ? Number.parseInt(octal, 8) : undefined;
}

/** @returns the bytes that a member's content takes */
export function padded(sizeBytes: number): number {
  return Math.ceil(sizeBytes / tarBlockBytes) * tarBlockBytes;
}
