/** The state of the NAT's end of a guest's TCP connection. Source: RFC 9293 3.3.1. */
import { tcpLimits } from '../../../spec/net/tcp.ts';
import type { TcpHeader, TcpSegment } from '../../frame/tcp-segment.ts';
import type { QueueTimer, TimerQueue } from '../../timer-queue.ts';
import type { FlowKey } from '../flow-table.ts';
import { CongestionControl } from './congestion.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { ReceiveQueue } from './receive-queue.ts';
import { RetransmissionTimeout } from './retransmission-timeout.ts';
import { StreamRing } from './stream-ring.ts';

/** RFC 9293 3.3.2. What LISTEN would be is the host's socket. */
export type TcpState =
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'
  | 'time-wait'
  | 'closed';

export type TcpEnd =
  /** Both sides have said that they are done. */
  | 'done'
  /** The guest has reset the connection, or refused it. */
  | 'reset'
  /** The guest no longer answers. */
  | 'timed-out'
  /** `abort` was called. */
  | 'aborted';

/** Who uses a connection: told of what happens, after it has happened. */
export interface TcpUser {
  established(): void;
  /** More bytes lie in the receive queue. */
  received(): void;
  /** The guest sends nothing after what has been received. */
  finished(): void;
  /** Some of what was written has arrived. */
  acknowledged(): void;
  /** The connection is over; nothing else is called after this. */
  closed(end: TcpEnd): void;
}

/** What a connection needs of the NAT. */
export interface TcpNetwork {
  readonly timers: TimerQueue;
  readonly budget: MemoryBudget;
  /** Of a TCP payload towards guests: the MTU without headers. */
  readonly mssBytes: number;
  /**
   * Sends a segment whose payload is `length` bytes of `ring` from `offset` on; more than `mssBytes` is cut later.
   * @returns false when there is no room
   */
  send(flow: FlowKey, header: TcpHeader, payload: TcpPayload, mssBytes: number): boolean;
  /** Sees to it that `acknowledgeNews` is called soon, once for all segments that arrive together. */
  scheduleAcknowledgment(block: ControlBlock): void;
  /** Sees to it that `resume` is called when there is room. */
  holdBack(block: ControlBlock): void;
  /** A number that nobody can guess. */
  initialSequence(): number;
}

/** Bytes `offset..offset + length` of a stream. */
export interface TcpPayload {
  readonly ring: StreamRing;
  offset: number;
  length: number;
}

/** What a control block's timers do. */
export interface TcpTimerHandlers {
  retransmissionDue(block: ControlBlock): void;
  acknowledgmentDue(block: ControlBlock): void;
}

/** Of each direction of a connection. */
const ringLimits = { initialBytes: 1 << 17, maxBytes: 1 << 20 } as const;

/** Windows of up to 2 MiB in units of 32 bytes. */
export const ourWindowScale = 5;

/** Segments of an old connection may be about for so long; on a virtual cable that is a formality. */
const timeWaitMs = 5000;

const leastMssBytes = 64;

export class ControlBlock implements FlowKey {
  readonly guestAddress: number;
  readonly guestPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  readonly network: TcpNetwork;
  readonly user: TcpUser;
  state: TcpState = 'closed';
  /** When the guest was last heard of. */
  heardMs: number;

  /** Sequence numbers of the SYNs; offset 0 of a stream follows them. */
  readonly initialSend: number;
  initialReceive = 0;

  readonly sendRing: StreamRing;
  /** Offset behind the last byte that `write` took. */
  sendEnd = 0;
  /** Offset of what is sent next; a FIN counts one. */
  sendNext = 0;
  /** The largest that `sendNext` has been. */
  sendTop = 0;
  finQueued = false;
  finAcknowledged = false;
  /** What the guest has room for beyond what it has acknowledged. */
  sendWindow = 0;
  largestSendWindow = 0;
  sendWindowScale = 0;
  /** Offsets of the segment that last told the window. RFC 9293 3.10.7.4. */
  windowSequence = 0;
  windowAcknowledgment = 0;
  mssBytes: number = tcpLimits.defaultMssBytes;
  congestion: CongestionControl;
  readonly timeout = new RetransmissionTimeout();
  /** The offset whose acknowledgment is being timed, and since when; negative: none. */
  timedOffset = -1;
  timedSinceMs = 0;
  /** Timeouts since something was last acknowledged. */
  timeouts = 0;

  readonly receive: ReceiveQueue;
  /** Whether both sides scale their windows. */
  scaled = false;
  /** The offset up to which the guest was last told that it may send. */
  announcedEdge = 0;
  /** Received and not yet acknowledged. */
  unacknowledgedBytes = 0;
  acknowledgmentScheduled = false;
  /** Where the guest's stream ends, once it has said so. */
  receiveEnd: number | undefined;
  finReceived = false;

  /** What the next segment says; one object for all of them. */
  readonly header: TcpHeader;
  readonly payload: TcpPayload;

  readonly retransmitTimer: QueueTimer;
  readonly acknowledgmentTimer: QueueTimer;
  readonly waitTimer: QueueTimer;

  constructor(key: FlowKey, network: TcpNetwork, user: TcpUser, handlers: TcpTimerHandlers) {
    this.guestAddress = key.guestAddress;
    this.guestPort = key.guestPort;
    this.remoteAddress = key.remoteAddress;
    this.remotePort = key.remotePort;
    this.network = network;
    this.user = user;
    this.sendRing = new StreamRing(ringLimits, network.budget);
    this.receive = new ReceiveQueue(new StreamRing(ringLimits, network.budget));
    this.congestion = new CongestionControl(this.mssBytes);
    this.header = {
      sourcePort: key.remotePort,
      destinationPort: key.guestPort,
      sequence: 0,
      acknowledgment: 0,
      flags: 0,
      window: 0,
      mssBytes: 0,
      windowScale: -1,
    };
    this.payload = { ring: this.sendRing, offset: 0, length: 0 };
    this.initialSend = network.initialSequence();
    this.heardMs = network.timers.nowMs();
    this.retransmitTimer = network.timers.createTimer(() => handlers.retransmissionDue(this));
    this.acknowledgmentTimer = network.timers.createTimer(() => handlers.acknowledgmentDue(this));
    this.waitTimer = network.timers.createTimer(() => this.end('done'));
  }

  /** Takes what a SYN of the guest says. */
  takeSynOptions(syn: TcpSegment): void {
    this.initialReceive = syn.sequence;
    const wanted = syn.mssBytes === 0 ? tcpLimits.defaultMssBytes : syn.mssBytes;
    this.mssBytes = Math.max(leastMssBytes, Math.min(wanted, this.network.mssBytes));
    this.congestion = new CongestionControl(this.mssBytes);
    this.scaled = syn.windowScale >= 0;
    this.sendWindowScale = Math.max(0, syn.windowScale);
    // The window of a SYN is never scaled. RFC 7323 2.2.
    this.sendWindow = syn.window;
    this.largestSendWindow = syn.window;
  }

  /** The handshake is over. */
  becomeEstablished(): void {
    this.state = this.finQueued ? 'fin-wait-1' : 'established';
    this.timeouts = 0;
    this.retransmitTimer.stop();
    this.user.established();
  }

  waitForOldSegments(): void {
    this.state = 'time-wait';
    this.retransmitTimer.stop();
    this.waitTimer.start(timeWaitMs);
  }

  end(end: TcpEnd): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.retransmitTimer.stop();
    this.acknowledgmentTimer.stop();
    this.waitTimer.stop();
    this.sendRing.close();
    this.user.closed(end);
  }
}
