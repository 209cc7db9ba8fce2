/** Addresses: IPv4 as unsigned 32-bit numbers, stations as six bytes; and both as text. */

import { groupBit } from '../../spec/net/ethernet.ts';
import { fail, ok, type Result } from '../../support/result.ts';

export type MacAddress = Uint8Array;

export const broadcastMac: MacAddress = new Uint8Array(6).fill(0xff);

export function ipv4Address(a: number, b: number, c: number, d: number): number {
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;
}

/** @returns the address, or undefined unless `text` is four decimal numbers from 0 to 255 with dots between */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)) {
    return undefined;
  }
  const [a, b, c, d] = parts.map(Number) as [number, number, number, number];
  return ipv4Address(a, b, c, d);
}

export function formatMac(address: MacAddress): string {
  return Array.from(address, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** A station's own address: six hexadecimal bytes, neither a group's nor all zeroes. */
export function parseMac(text: string): Result<MacAddress> {
  if (!/^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$/.test(text)) {
    return fail('malformed', `a MAC address has six hexadecimal bytes like 52:54:00:12:34:56, not "${text}".`);
  }
  const address = Uint8Array.from(text.split(/[:-]/), (byte) => Number.parseInt(byte, 16));
  if (((address[0] as number) & groupBit) !== 0) {
    return fail('malformed', `the MAC address ${text} is one of a group; a card needs one with an even first byte.`);
  }
  if (address.every((byte) => byte === 0)) return fail('malformed', 'a MAC address cannot be all zeroes.');
  return ok(address);
}
