/**
 * URLs of exports: `nbd://host[:port]/export` and `nbd+unix:///export?socket=path`. Source: "The NBD Uniform Resource
 * Indicator (URI) format" (doc/uri.md of the reference implementation).
 */

import { nbdMostTextBytes, nbdPort } from '../../spec/nbd.ts';
import { fail, ok, type Result } from '../../support/result.ts';
import { encodeUtf8 } from '../../support/utf8.ts';
import type { DiskFailure } from '../disk-failure.ts';

export type NbdAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface NbdUrl {
  readonly address: NbdAddress;
  /** Empty: the server's default export. */
  readonly exportName: string;
}

export function isNbdUrl(text: string): boolean {
  return /^nbds?(\+\w+)?:/i.test(text);
}

const urlPattern = /^([\w+]+):\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const authorityPattern = /^(\[[0-9A-Fa-f:.%]+\]|[^:@[\]]+)(?::(\d{1,5}))?$/;

export function parseNbdUrl(text: string): Result<NbdUrl, DiskFailure> {
  const wrong = (what: string) => fail('unsupported', `the URL ${text} cannot be used: ${what}.`);
  const [, scheme = '', authority = '', path = '', query = ''] = urlPattern.exec(text) ?? [];
  const isUnix = scheme.toLowerCase() === 'nbd+unix';
  if (scheme.toLowerCase().startsWith('nbds')) return wrong('encrypted connections (TLS) are not supported; use nbd:');
  if (!isUnix && scheme.toLowerCase() !== 'nbd') {
    return wrong('it should be nbd://host[:port]/export or nbd+unix:///export?socket=path');
  }
  const exportName = decode(path);
  if (exportName === undefined || !exportName.isWellFormed() || exportName.includes('\0'))
    return wrong('its export is not percent-encoded UTF-8');
  if (encodeUtf8(exportName).length > nbdMostTextBytes) {
    return wrong(`its export has more than ${nbdMostTextBytes} bytes`);
  }
  let socket: string | undefined;
  for (const parameter of query === '' ? [] : query.split('&')) {
    const [key, value = ''] = parameter.split('=', 2);
    if (key !== 'socket') return wrong(`its parameter ${key} is not supported`);
    socket = decode(value);
  }
  if (isUnix) {
    if (socket === undefined || socket === '') return wrong('it lacks ?socket= with the path of the socket');
    if (authority !== '') return wrong('it has a host and a socket; write nbd+unix:/// with three slashes');
    return ok({ address: { kind: 'unix', path: socket }, exportName });
  }
  if (socket !== undefined) return wrong('a socket is for nbd+unix:');
  const [, host, port = String(nbdPort)] = authorityPattern.exec(authority === '' ? 'localhost' : authority) ?? [];
  if (host === undefined) return wrong('its host is not one');
  if (Number(port) < 1 || Number(port) > 65_535) return wrong(`${port} is not a port`);
  return ok({ address: { kind: 'tcp', host: host.replace(/^\[|\]$/g, ''), port: Number(port) }, exportName });
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
