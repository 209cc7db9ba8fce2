/** A place where Ethernet frames go in and out: a guest's card, a port of a switch, the NAT, a TAP device, a peer. */

/**
 * What travels: from the destination address to the end of the payload, no preamble and no frame check sequence. It is
 * the sender's memory, used again for the next frame: whoever needs it after `send` has returned makes a copy.
 */
export type Frame = Uint8Array;

/**
 * What a sender has left to do on a frame, as virtio-net and network cards know it: nobody has to sum up what never
 * meets a wire. `finish-frames.ts` does the work for receivers that need finished frames. Valid as long as the frame.
 */
export interface Offload {
  /** The sum runs from here to the end of the frame. */
  readonly checksumStart: number;
  /** Where, from `checksumStart`, the checksum goes. The field holds the sum of the pseudo header, not inverted. */
  readonly checksumOffset: number;
  /** Cut the TCP payload into pieces of at most so many bytes, each a frame of its own; 0: one frame. */
  readonly segmentBytes: number;
}

/** Takes frames. */
export interface FrameSink {
  /**
   * @param offload what is left to do on the frame; absent: nothing
   * Answers may arrive at the sender's own sink before this returns.
   * @returns false when there is no room: the frame is lost, as on a wire. A sender may keep it and try again, at the
   * latest when `resume` is called on the sink at its own end of the cable.
   */
  send(frame: Frame, offload?: Offload): boolean;
  /** The other end of the cable, which had refused a frame, has room again. */
  resume(): void;
}

/** One end of a cable. Frames that arrive go to the sink that was connected last; before that they are dropped. */
export interface NetPort extends FrameSink {
  connect(receiver: FrameSink): void;
  close(): void;
}
