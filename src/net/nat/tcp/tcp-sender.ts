/** What goes out on a connection. Source: RFC 9293 3.8, RFC 6298. */
import { tcpFlag, tcpLimits } from '../../../spec/net/tcp.ts';
import type { TcpHeader } from '../../frame/tcp-segment.ts';
import { type ControlBlock, ourWindowScale } from './control-block.ts';

/** A SYN is sent so often: a minute and more. */
const maxSynTimeouts = 6;
/** Something is sent again so often before the connection is given up; with growing delays, minutes. */
const maxTimeouts = 12;
/** Without a word of the guest for so long, a connection whose window is closed is given up. */
const giveUpMs = 120_000;
/** A frame with all its headers has less than 64 KiB. */
const maxPayloadBytes = 65_535 - 60;

/** Sends or repeats our SYN, with an acknowledgment if the guest's is here. */
export function sendSyn(c: ControlBlock): void {
  const answers = c.state === 'syn-received';
  const flags = answers ? tcpFlag.syn | tcpFlag.ack : tcpFlag.syn;
  const header = headerOf(c, flags, c.initialSend);
  // The window of a SYN is never scaled.
  header.window = Math.min(c.receive.ring.limit, tcpLimits.maxWindowField);
  header.mssBytes = c.network.mssBytes;
  header.windowScale = answers && !c.scaled ? -1 : ourWindowScale;
  c.announcedEdge = header.window;
  sendHeader(c, header);
  c.retransmitTimer.start(c.timeout.ms);
}

/** Sends all that the guest has room for. */
export function transmit(c: ControlBlock): void {
  if (!maySend(c)) return;
  while (transmitOne(c));
}

/** @returns whether there may be more to send */
function transmitOne(c: ControlBlock): boolean {
  const finSent = c.finQueued && c.sendNext > c.sendEnd;
  if (finSent) return false;
  const unsent = c.sendEnd - c.sendNext;
  const inFlight = c.sendNext - c.sendRing.start;
  const usable = Math.min(c.sendWindow, c.congestion.window) - inFlight;
  let length = Math.max(0, Math.min(unsent, usable, maxPayloadBytes));
  if (length < unsent && length > c.mssBytes) length -= length % c.mssBytes;
  const fin = c.finQueued && length === unsent;
  if (length === 0 && !fin) {
    if (unsent > 0 && inFlight === 0) ensureTimer(c);
    return false;
  }
  if (length < unsent && length < c.mssBytes && length < c.largestSendWindow / 2) {
    // A silly window (RFC 9293 3.8.6.2.1): wait for a larger one, but not for ever.
    if (inFlight === 0) ensureTimer(c);
    return false;
  }
  // Noted before it is sent: a peer on the same thread may answer before `send` returns.
  const { sendNext, sendTop, timedOffset } = c;
  const after = sendNext + length + (fin ? 1 : 0);
  if (timedOffset < 0 && sendNext >= sendTop) {
    c.timedOffset = after;
    c.timedSinceMs = c.network.timers.nowMs();
  }
  c.sendNext = after;
  c.sendTop = Math.max(sendTop, after);
  if (!sendData(c, sendNext, length, fin)) {
    c.sendNext = sendNext;
    c.sendTop = sendTop;
    c.timedOffset = timedOffset;
    c.network.holdBack(c);
    ensureTimer(c);
    return false;
  }
  if (c.sendTop === c.sendRing.start + (c.finAcknowledged ? 1 : 0)) return true;
  ensureTimer(c);
  return true;
}

/** Sends the segment again that the guest waits for. */
export function retransmitFirst(c: ControlBlock): void {
  const start = c.sendRing.start;
  const length = Math.min(c.mssBytes, c.sendEnd - start);
  c.timedOffset = -1;
  sendData(c, start, length, c.finQueued && start + length === c.sendEnd && c.sendTop > c.sendEnd);
}

/** Tells the guest what has arrived and what it may send. */
export function acknowledge(c: ControlBlock): void {
  sendHeader(c, headerOf(c, tcpFlag.ack, sequenceOf(c, c.sendTop)));
}

/** There is room for frames again. */
export function resume(c: ControlBlock): void {
  transmit(c);
  if (c.unacknowledgedBytes > 0 && c.state !== 'closed') acknowledge(c);
}

/** Acknowledges what was received since the last time, or tells of a window that has opened. */
export function acknowledgeNews(c: ControlBlock): void {
  c.acknowledgmentScheduled = false;
  if (c.state === 'closed') return;
  const opened = c.receive.edge - c.announcedEdge;
  if (c.unacknowledgedBytes > 0 || opened >= 2 * c.network.mssBytes) acknowledge(c);
}

/** Asks an idle guest whether the connection is still there. RFC 9293 3.8.4. */
export function probe(c: ControlBlock): void {
  sendHeader(c, headerOf(c, tcpFlag.ack, (sequenceOf(c, c.sendRing.start) - 1) >>> 0));
}

export function reset(c: ControlBlock): void {
  const flags = c.state === 'syn-sent' ? tcpFlag.rst : tcpFlag.rst | tcpFlag.ack;
  sendHeader(c, headerOf(c, flags, sequenceOf(c, c.sendNext)));
}

/** The retransmission timer has expired. */
export function retransmissionDue(c: ControlBlock): void {
  c.timeouts++;
  if (c.state === 'syn-sent' || c.state === 'syn-received') {
    if (c.timeouts > maxSynTimeouts) giveUp(c);
    else repeatSyn(c);
    return;
  }
  const { start } = c.sendRing;
  const nothingToSend = c.sendEnd === start && (!c.finQueued || c.finAcknowledged);
  if (nothingToSend) return;
  const silent = c.network.timers.nowMs() - c.heardMs > giveUpMs;
  if (c.timeouts > maxTimeouts && (silent || c.sendWindow > 0)) {
    giveUp(c);
    return;
  }
  if (c.sendWindow === 0 && c.sendEnd > start) {
    // The window is closed: one byte finds out whether it still is. RFC 9293 3.8.6.1.
    if (sendData(c, start, 1, false)) c.sendTop = Math.max(c.sendTop, start + 1);
  } else if (c.sendTop > start) {
    c.congestion.timedOut(start, c.sendTop);
    c.sendNext = start;
    c.timedOffset = -1;
    transmit(c);
  } else {
    // The cable was full, or the window a silly one.
    sendAnything(c);
  }
  c.timeout.backOff();
  c.retransmitTimer.start(c.timeout.ms);
}

function repeatSyn(c: ControlBlock): void {
  c.timeout.backOff();
  sendSyn(c);
}

/** Sends a segment although it would not pay. */
function sendAnything(c: ControlBlock): void {
  const { start } = c.sendRing;
  const length = Math.min(c.sendEnd - start, c.sendWindow, c.mssBytes);
  const fin = c.finQueued && start + length === c.sendEnd;
  if (!sendData(c, start, length, fin)) return;
  c.sendNext = start + length + (fin ? 1 : 0);
  c.sendTop = Math.max(c.sendTop, c.sendNext);
}

function giveUp(c: ControlBlock): void {
  reset(c);
  c.end('timed-out');
}

function maySend({ state }: ControlBlock): boolean {
  return (
    state === 'established' ||
    state === 'close-wait' ||
    state === 'fin-wait-1' ||
    state === 'closing' ||
    state === 'last-ack'
  );
}

function ensureTimer(c: ControlBlock): void {
  if (!c.retransmitTimer.armed) c.retransmitTimer.start(c.timeout.ms);
}

/** The wire's number of an offset in the stream to the guest. */
export function sequenceOf(c: ControlBlock, offset: number): number {
  return (c.initialSend + 1 + offset) >>> 0;
}

function headerOf(c: ControlBlock, flags: number, sequence: number): TcpHeader {
  const { header } = c;
  header.sequence = sequence;
  const received = c.receive.next + (c.finReceived ? 1 : 0);
  header.acknowledgment = (flags & tcpFlag.ack) !== 0 ? (c.initialReceive + 1 + received) >>> 0 : 0;
  header.flags = flags;
  header.mssBytes = 0;
  header.windowScale = -1;
  return header;
}

/** Fills in the window, and notes what it promises. */
function announceWindow(c: ControlBlock, header: TcpHeader): void {
  const scale = c.scaled ? ourWindowScale : 0;
  header.window = Math.min((c.receive.edge - c.receive.next) >>> scale, tcpLimits.maxWindowField);
  c.announcedEdge = Math.max(c.announcedEdge, c.receive.next + header.window * 2 ** scale);
}

function sendData(c: ControlBlock, offset: number, length: number, fin: boolean): boolean {
  const last = offset + length === c.sendEnd;
  const flags = tcpFlag.ack | (last && length > 0 ? tcpFlag.psh : 0) | (fin ? tcpFlag.fin : 0);
  const header = headerOf(c, flags, sequenceOf(c, offset));
  announceWindow(c, header);
  return sendSegment(c, header, offset, length);
}

function sendHeader(c: ControlBlock, header: TcpHeader): void {
  if ((header.flags & tcpFlag.syn) === 0) announceWindow(c, header);
  if (!sendSegment(c, header, c.sendRing.start, 0)) c.network.holdBack(c);
}

function sendSegment(c: ControlBlock, header: TcpHeader, offset: number, length: number): boolean {
  c.payload.offset = offset;
  c.payload.length = length;
  if (!c.network.send(c, header, c.payload, c.mssBytes)) return false;
  c.unacknowledgedBytes = 0;
  c.acknowledgmentTimer.stop();
  return true;
}
