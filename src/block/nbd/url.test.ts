import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf, unwrap } from '../testing/reading.ts';
import { isNbdUrl, type NbdUrl, parseNbdUrl } from './url.ts';

const tcp = (host: string, port: number, exportName: string): NbdUrl => ({
  address: { kind: 'tcp', host, port },
  exportName,
});
const unix = (path: string, exportName: string): NbdUrl => ({ address: { kind: 'unix', path }, exportName });

test('the examples of the specification, and ours', () => {
  const examples: readonly [string, NbdUrl][] = [
    ['nbd://example.com:10810/export', tcp('example.com', 10810, 'export')],
    ['nbd://example.com/disk', tcp('example.com', 10809, 'disk')],
    ['nbd://example.com/', tcp('example.com', 10809, '')],
    ['nbd://example.com', tcp('example.com', 10809, '')],
    ['nbd://example.com//disk', tcp('example.com', 10809, '/disk')],
    ['nbd://example.com/hello%20world', tcp('example.com', 10809, 'hello world')],
    ['NBD://[::1]:1/%C3%A4', tcp('::1', 1, 'ä')],
    ['nbd:///disk', tcp('localhost', 10809, 'disk')],
    ['nbd+unix:///disk?socket=sock', unix('sock', 'disk')],
    ['nbd+unix:///?socket=/run/a%26b.sock', unix('/run/a&b.sock', '')],
    ['nbd+unix://?socket=s', unix('s', '')],
  ];
  for (const [url, expected] of examples) {
    assert.ok(isNbdUrl(url));
    assert.deepEqual(unwrap(parseNbdUrl(url)), expected, url);
  }
});

test('what cannot be used is refused with the reason', () => {
  const examples: readonly [string, RegExp][] = [
    ['nbds://example.com/', /TLS/],
    ['nbds+unix:///?socket=s', /TLS/],
    ['nbd+vsock://1/', /should be nbd:/],
    ['nbd:example.com:10809', /should be nbd:/],
    ['http://example.com/', /should be nbd:/],
    ['', /should be nbd:/],
    ['nbd+unix:///disk', /lacks \?socket=/],
    ['nbd+unix:///disk?socket=', /lacks \?socket=/],
    ['nbd+unix://host/disk?socket=s', /three slashes/],
    ['nbd://example.com/?socket=s', /socket is for/],
    ['nbd://example.com/?tls-type=x509', /parameter tls-type/],
    ['nbd://example.com:0/', /0 is not a port/],
    ['nbd://example.com:65536/', /65536 is not a port/],
    ['nbd://example.com:port/', /host is not one/],
    ['nbd://user@example.com/', /host is not one/],
    ['nbd://a/%FF', /percent-encoded/],
    ['nbd://a/%00', /percent-encoded/],
    ['nbd://a/\ud800', /percent-encoded/],
    [`nbd://a/${'%C3%A4'.repeat(2049)}`, /more than 4096 bytes/],
  ];
  for (const [url, message] of examples) {
    const failure = failureOf(parseNbdUrl(url));
    assert.equal(failure.kind, 'unsupported');
    assert.match(failure.message, message, url);
  }
  assert.ok(!isNbdUrl('disk.qcow2') && !isNbdUrl('/nbd:/disk'));
});
