/** DHCP messages. Source: RFC 2131 2, options RFC 2132. */
import { arpHardware } from '../../spec/net/arp.ts';
import { dhcp, dhcpCookie, dhcpOperation, dhcpOption } from '../../spec/net/dhcp.ts';
import { ethernet } from '../../spec/net/ethernet.ts';
import { read16, read32, write16, write32 } from './bytes.ts';

/** What a client asks; byte fields are copies. */
export interface DhcpRequest {
  readonly transactionId: number;
  readonly flags: number;
  readonly clientAddress: number;
  readonly clientMac: Uint8Array;
  /** 0 for a BOOTP request. */
  readonly messageType: number;
  readonly requestedAddress: number | undefined;
  readonly serverId: number | undefined;
  readonly clientId: Uint8Array | undefined;
}

/** Reads a message that fills `bytes`. @returns undefined unless it is a request of an Ethernet client */
export function readDhcpRequest(bytes: Uint8Array): DhcpRequest | undefined {
  if (bytes.length < dhcp.options || read32(bytes, dhcp.cookie) !== dhcpCookie) return undefined;
  if (bytes[dhcp.operation] !== dhcpOperation.request) return undefined;
  if (bytes[dhcp.hardwareType] !== arpHardware.ethernet || bytes[dhcp.hardwareLength] !== ethernet.addressBytes) {
    return undefined;
  }
  const options = readOptions(bytes);
  if (options === undefined) return undefined;
  const number32 = (code: number): number | undefined => {
    const value = options.get(code);
    return value?.length === 4 ? read32(value, 0) : undefined;
  };
  return {
    transactionId: read32(bytes, dhcp.transactionId),
    flags: read16(bytes, dhcp.flags),
    clientAddress: read32(bytes, dhcp.clientAddress),
    clientMac: bytes.slice(dhcp.clientHardware, dhcp.clientHardware + ethernet.addressBytes),
    messageType: options.get(dhcpOption.messageType)?.[0] ?? 0,
    requestedAddress: number32(dhcpOption.requestedAddress),
    serverId: number32(dhcpOption.serverId),
    clientId: options.get(dhcpOption.clientId),
  };
}

/** @returns undefined when an option is cut short; an option that comes twice is joined (RFC 3396) */
function readOptions(bytes: Uint8Array): Map<number, Uint8Array> | undefined {
  const options = new Map<number, Uint8Array>();
  let at: number = dhcp.options;
  while (at < bytes.length) {
    const code = bytes[at] as number;
    if (code === dhcpOption.end) break;
    if (code === dhcpOption.pad) {
      at++;
      continue;
    }
    const length = bytes[at + 1];
    if (length === undefined || at + 2 + length > bytes.length) return undefined;
    const value = bytes.slice(at + 2, at + 2 + length);
    const before = options.get(code);
    options.set(code, before === undefined ? value : Uint8Array.of(...before, ...value));
    at += 2 + length;
  }
  return options;
}

export interface DhcpReply {
  readonly messageType: number;
  readonly yourAddress: number;
  readonly serverAddress: number;
  readonly options: readonly (readonly [code: number, value: Uint8Array])[];
}

/** The answer to `request`. Options that are longer than 255 bytes are split (RFC 3396). */
export function writeDhcpReply(request: DhcpRequest, reply: DhcpReply): Uint8Array {
  const options: (readonly [number, Uint8Array])[] = [...reply.options];
  if (request.messageType !== 0) options.unshift([dhcpOption.messageType, Uint8Array.of(reply.messageType)]);
  const pieces = options.flatMap(([code, value]) => split(code, value));
  const optionBytes = pieces.reduce((sum, piece) => sum + piece.length, 1);
  const bytes = new Uint8Array(Math.max(dhcp.minBytes, dhcp.options + optionBytes));
  bytes[dhcp.operation] = dhcpOperation.reply;
  bytes[dhcp.hardwareType] = arpHardware.ethernet;
  bytes[dhcp.hardwareLength] = ethernet.addressBytes;
  write32(bytes, dhcp.transactionId, request.transactionId);
  write16(bytes, dhcp.flags, request.flags);
  write32(bytes, dhcp.clientAddress, request.clientAddress);
  write32(bytes, dhcp.yourAddress, reply.yourAddress);
  write32(bytes, dhcp.serverAddress, reply.serverAddress);
  bytes.set(request.clientMac, dhcp.clientHardware);
  write32(bytes, dhcp.cookie, dhcpCookie);
  let at: number = dhcp.options;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  bytes[at] = dhcpOption.end;
  return bytes;
}

const maxOptionBytes = 255;

function split(code: number, value: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < value.length; at += maxOptionBytes) {
    const part = value.subarray(at, at + maxOptionBytes);
    pieces.push(Uint8Array.of(code, part.length, ...part));
  }
  return pieces;
}

export function bytesOf32(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  for (const [index, value] of values.entries()) write32(bytes, index * 4, value);
  return bytes;
}
