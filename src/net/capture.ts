/** Records what passes a cable as a capture file that tcpdump and Wireshark read. Source: pcap-savefile(5). */
import { pcapFile } from '../spec/net/pcap.ts';
import type { NetClock } from './clock.ts';
import { FinishedFrames } from './frame/finished-frames.ts';
import type { FrameSink, NetPort } from './port.ts';

/** Takes bytes of the file in their order, and keeps nothing of them; false: they are lost. */
export type CaptureOutput = (bytes: Uint8Array) => boolean;

/** The file's first bytes. */
export function captureHeader(): Uint8Array {
  const bytes = new Uint8Array(pcapFile.headerBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, pcapFile.magic, true);
  view.setUint16(4, pcapFile.majorVersion, true);
  view.setUint16(6, pcapFile.minorVersion, true);
  view.setUint32(16, pcapFile.snapshotBytes, true);
  view.setUint32(20, pcapFile.linkType, true);
  return bytes;
}

/** `port`, and everything that passes it in `output`: finished and cut, as it would meet a wire. */
export function capture(port: NetPort, output: CaptureOutput, clock: NetClock): NetPort {
  const record = recorder(output, clock);
  let receiver: FrameSink | undefined;
  port.connect({
    send: (frame, offload) => {
      const sent = receiver?.send(frame, offload) ?? true;
      if (sent) record.send(frame, offload);
      return sent;
    },
    resume: () => receiver?.resume(),
  });
  return {
    send: (frame, offload) => {
      // Before it goes on, so that the answer comes after it in the file.
      record.send(frame, offload);
      return port.send(frame, offload);
    },
    resume: () => port.resume(),
    connect: (sink) => {
      receiver = sink;
    },
    close: () => port.close(),
  };
}

function recorder(output: CaptureOutput, clock: NetClock): FrameSink {
  let scratch = new Uint8Array(2048);
  return new FinishedFrames({
    send: (frame) => {
      const length = Math.min(frame.length, pcapFile.snapshotBytes);
      const whole = pcapFile.recordHeaderBytes + length;
      if (scratch.length < whole) scratch = new Uint8Array(whole * 2);
      const view = new DataView(scratch.buffer);
      const now = clock.wallClockMs();
      const seconds = Math.floor(now / 1000);
      view.setUint32(0, seconds, true);
      view.setUint32(4, Math.min(999_999_999, Math.round((now - seconds * 1000) * 1e6)), true);
      view.setUint32(8, length, true);
      view.setUint32(12, frame.length, true);
      scratch.set(frame.subarray(0, length), pcapFile.recordHeaderBytes);
      output(scratch.subarray(0, whole));
      return true;
    },
    resume: () => {},
  });
}
