/** The parts of DNS messages that a forwarder looks at, and answers to simple questions. Source: RFC 1035 4. */
import { dns, dnsFlag, dnsPointer, dnsStatus } from '../../spec/net/dns.ts';
import { read16, write16, write32 } from './bytes.ts';

export interface DnsQuestion {
  /** Lower case, without the last dot. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Where the question ends in the message. */
  readonly end: number;
}

/** Whether `message` asks something: long enough, not a response, at least one question. */
export function isDnsQuery(message: Uint8Array): boolean {
  return (
    message.length > dns.headerBytes &&
    (read16(message, dns.flags) & dnsFlag.response) === 0 &&
    read16(message, dns.questions) >= 1
  );
}

/** The only question of a standard query. @returns undefined for several, for other operations and for malformed names */
export function readDnsQuestion(message: Uint8Array): DnsQuestion | undefined {
  if (!isDnsQuery(message) || read16(message, dns.questions) !== 1) return undefined;
  if ((read16(message, dns.flags) & dnsFlag.operationMask) !== 0) return undefined;
  const labels: string[] = [];
  let at: number = dns.headerBytes;
  for (let length = message[at]; length !== 0; length = message[at]) {
    if (length === undefined || length > dns.maxLabelBytes || at + 1 + length >= message.length) return undefined;
    if (at + 1 + length - dns.headerBytes >= dns.maxNameBytes) return undefined;
    labels.push(String.fromCharCode(...message.subarray(at + 1, at + 1 + length)).toLowerCase());
    at += 1 + length;
  }
  const end = at + 5;
  if (end > message.length) return undefined;
  return { name: labels.join('.'), type: read16(message, at + 1), class: read16(message, at + 3), end };
}

/** Encodes a domain name. @returns undefined for one that has no encoding */
export function encodeDnsName(name: string): Uint8Array | undefined {
  const labels = name.replace(/\.$/, '').split('.');
  const bytes: number[] = [];
  for (const label of labels) {
    if (label.length === 0 || label.length > dns.maxLabelBytes || !/^[\x21-\x7e]*$/.test(label)) return undefined;
    bytes.push(label.length, ...Array.from(label, (letter) => letter.charCodeAt(0)));
  }
  bytes.push(0);
  return bytes.length > dns.maxNameBytes ? undefined : Uint8Array.from(bytes);
}

export interface DnsAnswer {
  readonly status: number;
  /** The data of one record each, all of the question's type. */
  readonly records: readonly Uint8Array[];
}

const pointerToQuestion = (dnsPointer << 8) | dns.headerBytes;
const recordHeaderBytes = 12;
const answerLifetimeSeconds = 60;

/** The response to `query`, which `question` was read from. */
export function writeDnsAnswer(query: Uint8Array, question: DnsQuestion, answer: DnsAnswer): Uint8Array {
  const recordBytes = answer.records.reduce((sum, data) => sum + recordHeaderBytes + data.length, 0);
  const bytes = new Uint8Array(question.end + recordBytes);
  bytes.set(query.subarray(0, question.end));
  write16(bytes, dns.flags, responseFlags(query, answer.status));
  write16(bytes, dns.answers, answer.records.length);
  write16(bytes, dns.authorities, 0);
  write16(bytes, dns.additionals, 0);
  let at = question.end;
  for (const data of answer.records) {
    write16(bytes, at, pointerToQuestion);
    write16(bytes, at + 2, question.type);
    write16(bytes, at + 4, question.class);
    write32(bytes, at + 6, answerLifetimeSeconds);
    write16(bytes, at + 10, data.length);
    bytes.set(data, at + recordHeaderBytes);
    at += recordHeaderBytes + data.length;
  }
  return bytes;
}

/** "This server could not do it": the header alone, with no question in it. */
export function dnsFailure(query: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(dns.headerBytes);
  bytes.set(query.subarray(0, dns.flags));
  write16(bytes, dns.flags, responseFlags(query, dnsStatus.serverFailure));
  return bytes;
}

function responseFlags(query: Uint8Array, status: number): number {
  const asked = read16(query, dns.flags) & (dnsFlag.operationMask | dnsFlag.recursionDesired);
  return asked | dnsFlag.response | dnsFlag.recursionAvailable | status;
}
