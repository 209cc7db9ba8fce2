/**
 * The NAT's end of a guest's TCP connection. Source: RFC 9293; window scale RFC 7323 2. Neither selective
 * acknowledgments nor time stamps are offered.
 */
import type { TcpSegment } from '../../frame/tcp-segment.ts';
import type { FlowKey } from '../flow-table.ts';
import { ControlBlock, type TcpNetwork, type TcpUser } from './control-block.ts';
import { receiveSegment } from './tcp-receiver.ts';
import { acknowledge, probe, reset, retransmissionDue, sendSyn, transmit } from './tcp-sender.ts';

export class TcpConnection {
  readonly #block: ControlBlock;

  constructor(key: FlowKey, network: TcpNetwork, user: TcpUser) {
    this.#block = new ControlBlock(key, network, user, { retransmissionDue, acknowledgmentDue: acknowledge });
  }

  /** Answers the guest's SYN. */
  accept(syn: TcpSegment): void {
    this.#block.takeSynOptions(syn);
    this.#block.state = 'syn-received';
    sendSyn(this.#block);
  }

  /** Asks the guest for a connection. */
  open(): void {
    this.#block.state = 'syn-sent';
    sendSyn(this.#block);
  }

  /** Asks the guest for the connection again, if it has not answered: it is there only now. */
  hurry(): void {
    const block = this.#block;
    if (block.state !== 'syn-sent') return;
    block.timeouts = 0;
    block.timeout.progress();
    sendSyn(block);
  }

  /** Takes a segment of the guest; its payload lies in `frame`. */
  receive(segment: TcpSegment, frame: Uint8Array): void {
    receiveSegment(this.#block, segment, frame);
  }

  /** How many bytes `write` takes now. */
  get room(): number {
    const { finQueued, sendRing, sendEnd } = this.#block;
    return finQueued ? 0 : sendRing.start + sendRing.limit - sendEnd;
  }

  /** Queues bytes for the guest; no more than there is `room`. */
  write(bytes: Uint8Array): void {
    const block = this.#block;
    block.sendRing.store(block.sendEnd, bytes, 0, bytes.length);
    block.sendEnd += bytes.length;
    transmit(block);
  }

  /** Says that nothing comes after what was written. */
  finish(): void {
    const block = this.#block;
    if (block.finQueued || block.state === 'closed') return;
    block.finQueued = true;
    if (block.state === 'established') block.state = 'fin-wait-1';
    else if (block.state === 'close-wait') block.state = 'last-ack';
    transmit(block);
  }

  /** Whether the connection has ended; what was received can still be read. */
  get over(): boolean {
    return this.#block.state === 'closed';
  }

  /** Bytes that were received and not consumed, as many as lie in one piece. Valid until they are consumed. */
  unread(): Uint8Array {
    const { ring, next } = this.#block.receive;
    return ring.view(ring.start, next - ring.start);
  }

  /** The user is done with `count` bytes of what it received. */
  consume(count: number): void {
    const { receive, state, finReceived, announcedEdge, network } = this.#block;
    receive.ring.release(receive.ring.start + count);
    if (state === 'closed' || finReceived) return;
    // Not for every byte (silly windows, RFC 9293 3.8.6.2.2), nor for what is small beside a window that is open.
    const opened = receive.edge - announcedEdge;
    const open = announcedEdge - receive.next;
    if (opened >= 2 * network.mssBytes && open <= receive.ring.limit / 4) {
      network.scheduleAcknowledgment(this.#block);
    }
  }

  /** Ends the connection at once; the guest is told. */
  abort(): void {
    if (this.#block.state === 'closed') return;
    reset(this.#block);
    this.#block.end('aborted');
  }

  /** Gives back what a connection that is over has received. */
  release(): void {
    this.#block.receive.ring.close();
  }

  /** Whether `syn` begins a new connection where this one only waits for old segments. RFC 1122 4.2.2.13. */
  mayBeReplacedBy(syn: TcpSegment): boolean {
    const { state, initialReceive, receive } = this.#block;
    return state === 'time-wait' && ((syn.sequence - (initialReceive + 1 + receive.next)) | 0) > 0;
  }

  /** Whether both sides are done, and only old segments may still come. */
  get isWaiting(): boolean {
    return this.#block.state === 'time-wait';
  }

  /** Waits for old segments no longer. */
  abandon(): void {
    if (this.isWaiting) this.#block.end('done');
  }

  /** When the guest was last heard of. */
  get heardMs(): number {
    return this.#block.heardMs;
  }

  /** Asks an idle guest whether the connection is still there. */
  probe(): void {
    if (this.#block.state !== 'closed') probe(this.#block);
  }
}
