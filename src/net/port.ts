/** A place where Ethernet frames go in and out: a guest's card, a port of a switch, the NAT, a TAP device, a peer. */

/** What travels: from the destination address to the end of the payload, no preamble and no frame check sequence. */
export type Frame = Uint8Array;

/** Takes frames; who calls it keeps nothing of `frame`, who implements it may keep it but must not change it. */
export interface FrameSink {
  /** @returns false when there is no room: the frame is lost, as on a wire, and the sender may hold back. */
  send(frame: Frame): boolean;
}

/** One end of a cable. Frames that arrive go to the sink that was connected last; before that they are dropped. */
export interface NetPort extends FrameSink {
  connect(receiver: FrameSink): void;
  close(): void;
}
