/** The value of `--net`. */

import type { NetBackend, NetworkOptions, UserNetworkOptions } from '../host/node/net/network.ts';
import { parseIpv4, parseMac } from '../net/frame/address.ts';
import { defaultSubnet, isGuestAddress, type PortForward } from '../net/nat/nat-config.ts';
import { ethernet, vlanTag } from '../spec/net/ethernet.ts';
import { type Failure, fail, ok, type Result } from '../support/result.ts';

/** The section of the help about the values of `--net`. */
export const netHelp = `Networks, as --net takes them (repeat the option for more cards):
  user             the host's network behind a NAT: by DHCP the guest gets
                   10.0.2.15, the router 10.0.2.2 and the name server 10.0.2.3
  switch=PATH      a switch that machines share at a UNIX socket, QEMU's too;
                   with user,switch=PATH its first machine brings the NAT
  tap=NAME         an interface of the host (Linux)
  none             no card
 and after them, with commas:
  mac=ADDRESS      the card's address
  mtu=BYTES        the largest packet, 576 to 9216 (default 1500)
  rate=BITS        bits per second, like 10M; TO/FROM the guest with a slash
  vlan=NUMBER      the card's VLAN on a switch, 1 to 4094
 with user:
  hostfwd=tcp:[ADDRESS]:PORT-[GUEST]:PORT
                   a port of the host (tcp or udp) leads to one of the guest;
                   ADDRESS is 127.0.0.1 unless given, GUEST 10.0.2.15
  loopback=on      10.0.2.2 leads to the host's own 127.0.0.1
  link-local=on    169.254.0.0/16 can be reached
  restrict=on      nothing can be reached; hostfwd still works
  hostname=NAME    what DHCP calls the guest`;

const leastMtuBytes = 576;
const mostMtuBytes = 9216;

/** Keys that make sense only with some back ends. */
const userKeys = ['hostfwd', 'loopback', 'link-local', 'restrict', 'hostname'];
const knownKeys = [...userKeys, 'switch', 'tap', 'mac', 'rate', 'mtu', 'vlan'];

type Values = ReadonlyMap<string, readonly string[]>;

const usage = (message: string): { ok: false; error: Failure } => fail('usage', `--net: ${message}`);

const maxCards = 8;

/** All values that were given, in their order. @returns undefined when none was */
export function parseNets(texts: readonly string[] | undefined): Result<NetworkOptions[] | undefined> {
  if (texts === undefined) return ok(undefined);
  if (texts.length > maxCards) return fail('usage', `--net may be given ${maxCards} times at most.`);
  const networks: NetworkOptions[] = [];
  for (const text of texts) {
    const network = parseNet(text);
    if (!network.ok) return network;
    if (network.value !== undefined) networks.push(network.value);
  }
  return ok(networks);
}

/** The network of a guest that was given none: behind the NAT, with nothing forwarded. */
export const defaultNetwork: NetworkOptions = {
  backend: {
    kind: 'user',
    user: { forwards: [], allowLoopback: false, allowLinkLocal: false, restricted: false, hostName: undefined },
  },
  mac: undefined,
  rate: { toPort: undefined, fromPort: undefined },
  mtuBytes: ethernet.mtuBytes,
};

/** @returns undefined for `none` */
export function parseNet(text: string): Result<NetworkOptions | undefined> {
  const words = text.split(',');
  if (words[0] === 'none') return words.length === 1 ? ok(undefined) : usage('none stands alone.');
  const isUser = words[0] === 'user';
  const values = splitValues(isUser ? words.slice(1) : words);
  if (!values.ok) return values;
  const backend = parseBackend(isUser, values.value);
  if (!backend.ok) return backend;
  const mac = parseOne(values.value, 'mac', parseMacValue);
  if (!mac.ok) return mac;
  const rate = parseOne(values.value, 'rate', parseRate);
  if (!rate.ok) return rate;
  const mtu = parseOne(values.value, 'mtu', (value) => parseNumber('mtu', value, leastMtuBytes, mostMtuBytes));
  if (!mtu.ok) return mtu;
  return ok({
    backend: backend.value,
    mac: mac.value,
    rate: rate.value ?? { toPort: undefined, fromPort: undefined },
    mtuBytes: mtu.value ?? ethernet.mtuBytes,
  });
}

function splitValues(words: readonly string[]): Result<Values> {
  const values = new Map<string, string[]>();
  for (const word of words) {
    const at = word.indexOf('=');
    const key = at < 0 ? word : word.slice(0, at);
    if (!knownKeys.includes(key)) {
      return usage(`"${word}" is unknown; it takes user, switch=PATH, tap=NAME or none, and then KEY=VALUE.`);
    }
    if (at < 0 || at === word.length - 1) return usage(`${key} needs a value after "=".`);
    const before = values.get(key);
    if (before !== undefined && key !== 'hostfwd') return usage(`${key} is given twice.`);
    values.set(key, [...(before ?? []), word.slice(at + 1)]);
  }
  return ok(values);
}

function parseBackend(isUser: boolean, values: Values): Result<NetBackend> {
  const path = values.get('switch')?.[0];
  const name = values.get('tap')?.[0];
  if (!isUser && path === undefined && name === undefined) {
    return usage('it takes user, switch=PATH, tap=NAME or none first.');
  }
  if (name !== undefined && (isUser || path !== undefined)) return usage('tap=NAME goes with neither user nor switch.');
  const foreign = isUser ? undefined : userKeys.find((key) => values.has(key));
  if (foreign !== undefined) return usage(`${foreign} needs user.`);
  const vlan = parseOne(values, 'vlan', (value) => parseNumber('vlan', value, vlanTag.first, vlanTag.last));
  if (!vlan.ok) return vlan;
  if (vlan.value !== undefined && path === undefined) return usage('vlan needs switch=PATH.');
  if (name !== undefined) return ok({ kind: 'tap', name });
  const user = isUser ? parseUser(values) : ok(undefined);
  if (!user.ok) return user;
  if (path !== undefined) return ok({ kind: 'switch', path, user: user.value, vlan: vlan.value });
  return user.value === undefined ? usage('it takes user first.') : ok({ kind: 'user', user: user.value });
}

function parseUser(values: Values): Result<UserNetworkOptions> {
  const forwards: PortForward[] = [];
  for (const value of values.get('hostfwd') ?? []) {
    const forward = parseForward(value);
    if (!forward.ok) return forward;
    forwards.push(forward.value);
  }
  const loopback = parseSwitch(values, 'loopback');
  if (!loopback.ok) return loopback;
  const linkLocal = parseSwitch(values, 'link-local');
  if (!linkLocal.ok) return linkLocal;
  const restrict = parseSwitch(values, 'restrict');
  if (!restrict.ok) return restrict;
  const hostName = values.get('hostname')?.[0];
  if (hostName !== undefined && !/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(hostName)) {
    return usage(`hostname takes letters, digits and hyphens, at most 63, not "${hostName}".`);
  }
  return ok({
    forwards,
    allowLoopback: loopback.value,
    allowLinkLocal: linkLocal.value,
    restricted: restrict.value,
    hostName,
  });
}

function parseForward(text: string): Result<PortForward> {
  const shape = 'hostfwd takes tcp:[ADDRESS]:PORT-[GUEST]:PORT, like tcp::2222-:22';
  const groups = /^(?<protocol>tcp|udp):(?<host>[^:]*):(?<hostPort>\d+)-(?<guest>[^:]*):(?<guestPort>\d+)$/.exec(
    text,
  )?.groups;
  if (groups === undefined) return usage(`${shape}, not "${text}".`);
  const { host, hostPort, guest, guestPort } = groups as Record<'host' | 'hostPort' | 'guest' | 'guestPort', string>;
  const protocol = groups.protocol === 'udp' ? 'udp' : 'tcp';
  if (host !== '' && parseIpv4(host) === undefined) return usage(`"${host}" is no IPv4 address; ${shape}.`);
  const guestAddress = guest === '' ? undefined : parseIpv4(guest);
  if (guest !== '' && (guestAddress === undefined || !isGuestAddress(defaultSubnet, guestAddress))) {
    return usage(`a guest has an address in 10.0.2.0/24, not "${guest}".`);
  }
  const from = parseNumber('hostfwd', hostPort, 1, 65_535);
  if (!from.ok) return from;
  const to = parseNumber('hostfwd', guestPort, 1, 65_535);
  if (!to.ok) return to;
  const hostAddress = host === '' ? '127.0.0.1' : host;
  return ok({ protocol, hostAddress, hostPort: from.value, guestAddress, guestPort: to.value });
}

function parseMacValue(text: string): Result<Uint8Array> {
  const mac = parseMac(text);
  return mac.ok ? mac : usage(mac.error.message);
}

const bitsOfUnit: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };
const leastRate = 1000;
const mostRate = 1e12;

/** `RATE` both ways, or `TO/FROM` the guest. The card sends into the port: that is what comes from the guest. */
function parseRate(text: string): Result<NetworkOptions['rate']> {
  const [to, from = to, ...more] = text.split('/') as [string, string?, ...string[]];
  const toGuest = parseBits(to);
  const fromGuest = parseBits(from);
  if (more.length > 0 || toGuest === undefined || fromGuest === undefined) {
    return usage(`rate takes bits per second like 500K, 10M or 1G, or two with a slash, not "${text}".`);
  }
  return ok({ toPort: fromGuest, fromPort: toGuest });
}

function parseBits(text: string): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?)([kKmMgG]?)$/.exec(text);
  if (match === null) return undefined;
  const bits = Number(match[1]) * (bitsOfUnit[(match[2] as string).toLowerCase()] as number);
  return bits >= leastRate && bits <= mostRate ? bits : undefined;
}

function parseNumber(key: string, text: string, least: number, most: number): Result<number> {
  const value = /^[0-9]{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return ok(value);
  return usage(`${key} takes a number from ${least} to ${most}, not "${text}".`);
}

function parseSwitch(values: Values, key: string): Result<boolean> {
  const value = values.get(key)?.[0];
  if (value === undefined || value === 'off') return ok(false);
  return value === 'on' ? ok(true) : usage(`${key} takes on or off, not "${value}".`);
}

function parseOne<T>(values: Values, key: string, parse: (text: string) => Result<T>): Result<T | undefined> {
  const value = values.get(key)?.[0];
  return value === undefined ? ok(undefined) : parse(value);
}
