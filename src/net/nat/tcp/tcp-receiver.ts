/** What comes in on a connection. Source: RFC 9293 3.10.7; resets and SYNs out of place: RFC 5961. */
import { tcpFlag } from '../../../spec/net/tcp.ts';
import type { TcpSegment } from '../../frame/tcp-segment.ts';
import type { ControlBlock } from './control-block.ts';
import { acknowledge, retransmitFirst, sendSyn, transmit } from './tcp-sender.ts';

/** How long an acknowledgment of little data may wait for company. RFC 1122 4.2.3.2 allows 500. */
const acknowledgmentDelayMs = 40;

/** Takes a segment of the guest; its payload lies in `frame`. */
export function receiveSegment(c: ControlBlock, segment: TcpSegment, frame: Uint8Array): void {
  const offset = receivedOffset(c, segment.sequence);
  const syn = (segment.flags & tcpFlag.syn) !== 0;
  if (c.state === 'closed') return;
  if (c.state === 'syn-sent') {
    receiveInSynSent(c, segment);
  } else if ((segment.flags & tcpFlag.rst) !== 0) {
    receiveReset(c, offset);
  } else if (c.state === 'syn-received' && syn && segment.sequence === c.initialReceive) {
    sendSyn(c);
  } else if (syn || !isAcceptable(c, segment, offset)) {
    // A SYN in the middle may be forged: a guest that means it answers the acknowledgment with a reset. RFC 5961 4.
    acknowledge(c);
  } else if ((segment.flags & tcpFlag.ack) !== 0) {
    c.heardMs = c.network.timers.nowMs();
    if (receiveAcknowledgment(c, segment, offset)) receivePayload(c, segment, frame, offset);
  }
}

/** The offset in the guest's stream that a sequence number near the expected one means. */
function receivedOffset(c: ControlBlock, sequence: number): number {
  const expected = c.receive.next;
  return expected + ((sequence - (c.initialReceive + 1 + expected)) | 0);
}

/** The offset in our stream that an acknowledgment number near the oldest unacknowledged one means. */
function acknowledgedOffset(c: ControlBlock, acknowledgment: number): number {
  const { start } = c.sendRing;
  return start + ((acknowledgment - (c.initialSend + 1 + start)) | 0);
}

function receiveInSynSent(c: ControlBlock, segment: TcpSegment): void {
  const { flags } = segment;
  const acknowledges = (flags & tcpFlag.ack) !== 0;
  if (acknowledges && acknowledgedOffset(c, segment.acknowledgment) !== 0) {
    // Of an older connection; what its end expects is the only number that it believes in a reset.
    if ((flags & tcpFlag.rst) === 0) resetStranger(c, segment.acknowledgment);
    return;
  }
  if ((flags & tcpFlag.rst) !== 0) {
    if (acknowledges) c.end('reset');
    return;
  }
  if ((flags & tcpFlag.syn) === 0) return;
  c.takeSynOptions(segment);
  c.heardMs = c.network.timers.nowMs();
  if (acknowledges) {
    c.becomeEstablished();
    if (!isOpen(c)) return;
    acknowledge(c);
    transmit(c);
  } else {
    c.state = 'syn-received';
    sendSyn(c);
  }
}

function resetStranger(c: ControlBlock, sequence: number): void {
  const { header, payload } = c;
  header.sequence = sequence;
  header.acknowledgment = 0;
  header.flags = tcpFlag.rst;
  header.window = 0;
  header.mssBytes = 0;
  header.windowScale = -1;
  payload.offset = 0;
  payload.length = 0;
  c.network.send(c, header, payload, c.mssBytes);
}

/** RFC 5961 3: only the exact number counts, anything else in the window is asked about. */
function receiveReset(c: ControlBlock, offset: number): void {
  const expected = c.receive.next + (c.finReceived ? 1 : 0);
  if (offset === expected) c.end('reset');
  else if (offset > expected && offset < c.announcedEdge) acknowledge(c);
}

/** RFC 9293 3.10.7.4, first check. A segment that begins where it should is also heard while the window is closed. */
function isAcceptable(c: ControlBlock, segment: TcpSegment, offset: number): boolean {
  const expected = c.receive.next + (c.finReceived ? 1 : 0);
  if (offset === expected) return true;
  const length = segment.payloadEnd - segment.payloadStart + ((segment.flags & tcpFlag.fin) !== 0 ? 1 : 0);
  const edge = Math.max(c.announcedEdge, c.receive.edge);
  if (length === 0) return offset >= expected && offset < edge;
  return offset < edge && offset + length > expected;
}

/** @returns whether the rest of the segment counts */
function receiveAcknowledgment(c: ControlBlock, segment: TcpSegment, offset: number): boolean {
  const acknowledged = acknowledgedOffset(c, segment.acknowledgment);
  if (c.state === 'syn-received') {
    if (acknowledged < 0 || acknowledged > c.sendTop) {
      resetStranger(c, segment.acknowledgment);
      return false;
    }
    c.windowSequence = offset - 1;
    c.becomeEstablished();
    if (!isOpen(c)) return false;
  }
  if (acknowledged > c.sendTop) {
    acknowledge(c);
    return false;
  }
  const windowChanged = takeWindow(c, segment, offset, acknowledged);
  const oldest = c.sendRing.start + (c.finAcknowledged ? 1 : 0);
  if (acknowledged > oldest) progress(c, acknowledged);
  else if (
    acknowledged === oldest &&
    !windowChanged &&
    segment.payloadStart === segment.payloadEnd &&
    (segment.flags & tcpFlag.fin) === 0 &&
    c.sendTop > oldest
  ) {
    if (c.congestion.duplicate(oldest, c.sendTop)) retransmitFirst(c);
  }
  if (!isOpen(c)) return false;
  transmit(c);
  return true;
}

/** @returns whether the guest's window is another than before */
function takeWindow(c: ControlBlock, segment: TcpSegment, offset: number, acknowledged: number): boolean {
  const newer = offset > c.windowSequence || (offset === c.windowSequence && acknowledged >= c.windowAcknowledgment);
  if (!newer || acknowledged < c.sendRing.start) return false;
  const window = segment.window * 2 ** (c.scaled ? c.sendWindowScale : 0);
  c.windowSequence = offset;
  c.windowAcknowledgment = acknowledged;
  if (window === c.sendWindow) return false;
  const opened = c.sendWindow === 0;
  c.sendWindow = window;
  c.largestSendWindow = Math.max(c.largestSendWindow, window);
  if (opened) {
    // Whatever the probes have found out about waiting no longer holds.
    c.timeout.progress();
    c.retransmitTimer.stop();
    if (c.sendTop > c.sendRing.start) c.retransmitTimer.start(c.timeout.ms);
  }
  return true;
}

/** The guest has received up to `acknowledged`, more than before. */
function progress(c: ControlBlock, acknowledged: number): void {
  const before = c.sendRing.start;
  const limited = c.sendNext - before + c.mssBytes > c.congestion.window;
  if (c.timedOffset >= 0 && acknowledged >= c.timedOffset) {
    c.timeout.sample(c.network.timers.nowMs() - c.timedSinceMs);
    c.timedOffset = -1;
  }
  const finAcknowledged = c.finQueued && acknowledged > c.sendEnd;
  c.sendRing.release(Math.min(acknowledged, c.sendEnd));
  c.sendNext = Math.max(c.sendNext, acknowledged);
  c.timeout.progress();
  c.timeouts = 0;
  if (c.congestion.acknowledged(acknowledged, acknowledged - before, limited)) retransmitFirst(c);
  c.retransmitTimer.stop();
  if (acknowledged < c.sendTop) c.retransmitTimer.start(c.timeout.ms);
  if (finAcknowledged) finIsAcknowledged(c);
  if (isOpen(c) && acknowledged > before) c.user.acknowledged();
}

function finIsAcknowledged(c: ControlBlock): void {
  c.finAcknowledged = true;
  if (c.state === 'fin-wait-1') c.state = 'fin-wait-2';
  else if (c.state === 'closing') c.waitForOldSegments();
  else if (c.state === 'last-ack') c.end('done');
}

/** The state may have changed under a call to the user. */
function isOpen(c: ControlBlock): boolean {
  return c.state !== 'closed';
}

function receivePayload(c: ControlBlock, segment: TcpSegment, frame: Uint8Array, offset: number): void {
  const { receive } = c;
  const length = segment.payloadEnd - segment.payloadStart;
  const fin = (segment.flags & tcpFlag.fin) !== 0;
  if (length === 0 && !fin) return;
  if (c.finReceived) {
    acknowledge(c);
    return;
  }
  if (fin && c.receiveEnd === undefined) c.receiveEnd = offset + length;
  const end = Math.min(offset + length, c.receiveEnd ?? Number.POSITIVE_INFINITY);
  const before = receive.next;
  const hadGap = receive.hasGap;
  receive.insert(offset, frame, segment.payloadStart, segment.payloadStart + Math.max(0, end - offset));
  const gained = receive.next - before;
  c.unacknowledgedBytes += gained;
  if (receive.next === c.receiveEnd) takeFin(c);
  if (c.finReceived || gained === 0 || hadGap || receive.hasGap) acknowledge(c);
  else if (c.unacknowledgedBytes >= 2 * c.network.mssBytes) c.network.scheduleAcknowledgment(c);
  else if (!c.acknowledgmentTimer.armed) c.acknowledgmentTimer.start(acknowledgmentDelayMs);
  if (gained > 0) c.user.received();
  if (c.finReceived && isOpen(c)) c.user.finished();
}

/** All that the guest had to send is here. */
function takeFin(c: ControlBlock): void {
  c.finReceived = true;
  if (c.state === 'established') c.state = 'close-wait';
  else if (c.state === 'fin-wait-1') c.state = 'closing';
  else if (c.state === 'fin-wait-2') c.waitForOldSegments();
}
