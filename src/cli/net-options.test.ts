import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIpv4, formatMac } from '../net/frame/address.ts';
import { parseNet } from './net-options.ts';

function parsed(text: string) {
  const result = parseNet(text);
  assert.ok(result.ok, result.ok ? '' : result.error.message);
  assert.ok(result.value);
  return result.value;
}

function user(text: string) {
  const { backend } = parsed(text);
  assert.ok(backend.kind !== 'tap' && backend.user);
  return backend.user;
}

function refused(text: string): string {
  const result = parseNet(text);
  assert.ok(!result.ok, text);
  assert.equal(result.error.kind, 'usage');
  assert.match(result.error.message, /^--net: [^\n]+\.$/);
  return result.error.message;
}

test('none is no card', () => {
  assert.deepEqual(parseNet('none'), { ok: true, value: undefined });
  assert.match(refused('none,mac=52:54:00:00:00:01'), /stands alone/);
});

test('user, as it comes', () => {
  assert.deepEqual(parsed('user'), {
    backend: {
      kind: 'user',
      user: { forwards: [], allowLoopback: false, allowLinkLocal: false, restricted: false, hostName: undefined },
    },
    mac: undefined,
    rate: { toPort: undefined, fromPort: undefined },
    mtuBytes: 1500,
  });
});

test('forwarded ports', () => {
  const { forwards } = user('user,hostfwd=tcp::2222-:22,hostfwd=udp:0.0.0.0:5353-10.0.2.16:53');
  assert.deepEqual(
    forwards.map((forward) => ({
      ...forward,
      guestAddress: forward.guestAddress === undefined ? '' : formatIpv4(forward.guestAddress),
    })),
    [
      { protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 2222, guestAddress: '', guestPort: 22 },
      { protocol: 'udp', hostAddress: '0.0.0.0', hostPort: 5353, guestAddress: '10.0.2.16', guestPort: 53 },
    ],
  );
  for (const wrong of [
    'tcp:2222-22',
    'icmp::1-:1',
    'tcp::0-:22',
    'tcp::2222-:65536',
    'tcp::2222-192.168.0.1:22',
    'tcp::2222-10.0.2.2:22',
    'tcp:localhost:2222-:22',
    'tcp::2222',
    'tcp::99999999999999999999-:1',
  ]) {
    refused(`user,hostfwd=${wrong}`);
  }
});

test('switches of user', () => {
  const options = user('user,loopback=on,link-local=on,restrict=on,hostname=box-1');
  assert.deepEqual(
    [options.allowLoopback, options.allowLinkLocal, options.restricted, options.hostName],
    [true, true, true, 'box-1'],
  );
  assert.equal(user('user,loopback=off').allowLoopback, false);
  assert.match(refused('user,loopback=yes'), /on or off/);
  refused('user,hostname=-x');
  refused(`user,hostname=${'a'.repeat(64)}`);
});

test('a switch, alone and with the NAT', () => {
  const alone = parsed('switch=/tmp/lan.sock,vlan=10').backend;
  assert.deepEqual(alone, { kind: 'switch', path: '/tmp/lan.sock', user: undefined, vlan: 10 });
  const both = parsed('user,switch=/tmp/lan.sock,hostfwd=tcp::2222-:22').backend;
  assert.ok(both.kind === 'switch' && both.user?.forwards.length === 1);
  for (const wrong of ['switch=/a,vlan=0', 'switch=/a,vlan=4095', 'switch=/a,vlan=x', 'user,vlan=3', 'switch=']) {
    refused(wrong);
  }
});

test('a TAP device stands alone', () => {
  assert.deepEqual(parsed('tap=tap0').backend, { kind: 'tap', name: 'tap0' });
  for (const wrong of ['user,tap=tap0', 'tap=tap0,switch=/a', 'tap=tap0,hostfwd=tcp::1-:1', 'tap=']) refused(wrong);
});

test('the address of the card', () => {
  const { mac } = parsed('user,mac=52:54:00:AB:cd:01');
  assert.equal(formatMac(mac as Uint8Array), '52:54:00:ab:cd:01');
  for (const wrong of ['52:54:00:ab:cd', '53:54:00:ab:cd:01', '00:00:00:00:00:00', 'g2:54:00:ab:cd:01']) {
    refused(`user,mac=${wrong}`);
  }
});

test('rates are bits per second, to and from the guest', () => {
  assert.deepEqual(parsed('user,rate=10M').rate, { toPort: 10e6, fromPort: 10e6 });
  assert.deepEqual(parsed('user,rate=1.5G/500k').rate, { toPort: 500e3, fromPort: 1.5e9 });
  for (const wrong of ['0', '-1', 'fast', '10M/', '1M/2M/3M', '10T', '1e9', '999']) refused(`user,rate=${wrong}`);
});

test('the largest packet', () => {
  assert.equal(parsed('user,mtu=9000').mtuBytes, 9000);
  for (const wrong of ['575', '9217', '', 'x']) refused(`user,mtu=${wrong}`);
});

test('what is unknown, doubled or missing is named', () => {
  assert.match(refused('user,speed=fast'), /"speed=fast" is unknown/);
  assert.match(refused('user,mac=52:54:00:00:00:01,mac=52:54:00:00:00:02'), /mac is given twice/);
  assert.match(refused('mac=52:54:00:00:00:01'), /user, switch=PATH, tap=NAME or none first/);
  assert.match(refused('switch=/a,hostfwd=tcp::1-:1'), /hostfwd needs user/);
  refused('');
  refused('user,');
  refused('user,hostfwd');
});
