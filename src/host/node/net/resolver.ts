/** The host's name servers, asked as a stub resolver does: one after the other until one answers. */

import { createSocket } from 'node:dgram';
import { getServers, promises as names } from 'node:dns';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { parseIpv4 } from '../../../net/frame/address.ts';
import { read16, write16 } from '../../../net/frame/bytes.ts';
import { bytesOf32 } from '../../../net/frame/dhcp-message.ts';
import {
  type DnsAnswer,
  type DnsQuestion,
  dnsFailure,
  encodeDnsName,
  readDnsQuestion,
  writeDnsAnswer,
} from '../../../net/frame/dns-message.ts';
import { dns, dnsStatus, dnsType } from '../../../spec/net/dns.ts';
import { randomInt } from '../random.ts';

const configurationFile = '/etc/resolv.conf';
/** Networks change under a running machine. */
const readAgainAfterMs = 3000;
const tryMs = 2000;
/** Questions that are under way at once; more are dropped, and asked again. */
const maxQuestions = 256;
const rounds = 2;

export interface ResolverConfiguration {
  readonly servers: readonly string[];
  readonly searchDomains: readonly string[];
}

/** resolv.conf(5): `nameserver` lines, and the last `search` or `domain` line. */
export function parseResolvConf(text: string): ResolverConfiguration {
  const servers: string[] = [];
  let searchDomains: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    const first = values[0];
    if (keyword === 'nameserver' && first !== undefined && isIP(first.replace(/%.*$/, '')) !== 0) servers.push(first);
    if (keyword === 'search' || keyword === 'domain') searchDomains = values.filter((name) => name !== '.');
  }
  return { servers, searchDomains };
}

export class Resolver {
  readonly #file: string;
  readonly #port: number;
  #servers: readonly string[] = [];
  #readMs = Number.NEGATIVE_INFINITY;
  #questions = 0;

  constructor(file = configurationFile, port: number = dns.port) {
    this.#file = file;
    this.#port = port;
  }

  /** The server for questions over TCP: the first one. */
  get server(): string | undefined {
    void this.configuration();
    return this.#servers[0];
  }

  async configuration(): Promise<ResolverConfiguration> {
    const text = await readFile(this.#file, 'utf8').catch(() => undefined);
    const found =
      text === undefined
        ? { servers: getServers().filter((name) => isIP(name) !== 0), searchDomains: [] }
        : parseResolvConf(text);
    this.#servers = found.servers;
    this.#readMs = performance.now();
    return found;
  }

  /** @param reply gets one answer, or none */
  async resolve(query: Uint8Array, reply: (message: Uint8Array) => void): Promise<void> {
    if (this.#questions >= maxQuestions) return;
    this.#questions++;
    try {
      if (performance.now() - this.#readMs > readAgainAfterMs) await this.configuration();
      reply(this.#servers.length === 0 ? await askHost(query) : await this.#askServers(query));
    } finally {
      this.#questions--;
    }
  }

  async #askServers(query: Uint8Array): Promise<Uint8Array> {
    for (let round = 0; round < rounds; round++) {
      for (const server of this.#servers) {
        const answer = await askServer(server, this.#port, query);
        if (answer !== undefined) return answer;
      }
    }
    return dnsFailure(query);
  }
}

/** Asks with a number and a port of our own, so that nobody who has not seen the question can answer it. */
function askServer(server: string, port: number, query: Uint8Array): Promise<Uint8Array | undefined> {
  const question = query.slice();
  const id = randomInt(0x1_0000);
  write16(question, dns.id, id);
  return new Promise((resolve) => {
    const socket = createSocket(isIP(server) === 4 ? 'udp4' : 'udp6');
    const done = (answer: Uint8Array | undefined): void => {
      clearTimeout(timer);
      resolve(answer);
      socket.removeAllListeners('message');
      socket.close();
    };
    const timer = setTimeout(() => done(undefined), tryMs);
    socket.once('error', () => done(undefined));
    socket.on('message', (message) => {
      if (message.length < dns.headerBytes || read16(message, dns.id) !== id) return;
      const answer = new Uint8Array(message);
      answer.set(query.subarray(dns.id, dns.id + 2), dns.id);
      done(answer);
    });
    socket.connect(port, server, () => socket.send(question));
  });
}

/** Without a name server: what the host's own library finds out, for the questions that it knows. */
async function askHost(query: Uint8Array): Promise<Uint8Array> {
  const question = readDnsQuestion(query);
  if (question === undefined) return dnsFailure(query);
  return writeDnsAnswer(query, question, await lookUp(question));
}

async function lookUp(question: DnsQuestion): Promise<DnsAnswer> {
  try {
    switch (question.type) {
      case dnsType.a: {
        const found = await names.lookup(question.name, { family: 4, all: true });
        return { status: dnsStatus.ok, records: found.map(({ address }) => bytesOf32(parseIpv4(address) ?? 0)) };
      }
      case dnsType.aaaa:
        await names.lookup(question.name);
        return { status: dnsStatus.ok, records: [] };
      case dnsType.ptr: {
        const address = question.name
          .replace(/\.in-addr\.arpa$/, '')
          .split('.')
          .reverse()
          .join('.');
        if (parseIpv4(address) === undefined) return { status: dnsStatus.noSuchName, records: [] };
        const { hostname } = await names.lookupService(address, 0);
        const name = hostname === address ? undefined : encodeDnsName(hostname);
        return name === undefined
          ? { status: dnsStatus.noSuchName, records: [] }
          : { status: dnsStatus.ok, records: [name] };
      }
      default:
        return { status: dnsStatus.notImplemented, records: [] };
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const unknown = code === 'ENOTFOUND' || code === 'ENODATA';
    return { status: unknown ? dnsStatus.noSuchName : dnsStatus.serverFailure, records: [] };
  }
}
