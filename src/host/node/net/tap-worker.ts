/**
 * The thread that reads a TAP device: it opens the device, tells its descriptor, and hands over what the kernel sends.
 * Node cannot wait for such a device without keeping one of its file threads.
 */
import { dlopen, getInt32 } from 'node:ffi';
import { closeSync, constants, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import {
  interfaceRequest,
  pollRequest,
  tunError,
  tunFlag,
  tunOffload,
  tunPath,
  tunRequest,
} from '../../../spec/net/tun.ts';
import { virtioNetHeader } from '../../../spec/virtio/net.ts';
import { batchHeaderBytes, maxTapFrameBytes, type TapReport, type TapWorkerData, tapWord } from './tap-batch.ts';

const { name, words } = workerData as TapWorkerData;

const batchBytes = 1 << 18;
/** Batches that wait for the main thread; then the kernel's own queue fills, and drops. */
const maxBatches = 8;
/** How soon a request to stop is noticed. */
const pollMs = 500;

const { functions: libc } = dlopen(null, {
  ioctl: { arguments: ['int32', 'uint64', 'buffer'], return: 'int32' },
  read: { arguments: ['int32', 'buffer', 'uint64'], return: 'int64' },
  poll: { arguments: ['buffer', 'uint64', 'int32'], return: 'int32' },
  __errno_location: { arguments: [], return: 'pointer' },
});

function report(value: TapReport, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(value, transfer);
}

/** @returns the error's number, 0 for success */
function setInterface(descriptor: number): number {
  const request = Buffer.alloc(interfaceRequest.bytes);
  request.write(name, 0, interfaceRequest.nameBytes - 1, 'latin1');
  request.writeUInt16LE(tunFlag.tap | tunFlag.noPacketInformation | tunFlag.virtioHeader, interfaceRequest.flags);
  if (libc.ioctl(descriptor, BigInt(tunRequest.setInterface), request) < 0) return getInt32(libc.__errno_location());
  const headerBytes = Buffer.alloc(4);
  headerBytes.writeInt32LE(virtioNetHeader.legacyBytes);
  libc.ioctl(descriptor, BigInt(tunRequest.setHeaderBytes), headerBytes);
  return 0;
}

/**
 * Lets the kernel leave checksums and segmentation to us. The argument is the bits themselves, so the call has a
 * signature of its own.
 */
function setOffload(descriptor: number): void {
  const { functions } = dlopen(null, { ioctl: { arguments: ['int32', 'uint64', 'uint64'], return: 'int32' } });
  const bits = tunOffload.checksum | tunOffload.tso4 | tunOffload.tso6 | tunOffload.ecn;
  functions.ioctl(descriptor, BigInt(tunRequest.setOffload), BigInt(bits));
}

function open(): number | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(tunPath, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    report({ kind: 'refused', at: 'open', code: (error as NodeJS.ErrnoException).code ?? String(error) });
    return undefined;
  }
  const error = setInterface(descriptor);
  if (error !== 0) {
    closeSync(descriptor);
    report({ kind: 'refused', at: 'interface', code: getSystemErrorName(-error) });
    return undefined;
  }
  setOffload(descriptor);
  report({ kind: 'opened', descriptor });
  return descriptor;
}

/** Fills a batch with what there is. @returns its length, or -1 when the device is gone */
function readBatch(descriptor: number, batch: Buffer): number {
  let end = 0;
  while (end + batchHeaderBytes + maxTapFrameBytes <= batch.length) {
    const room = batch.subarray(end + batchHeaderBytes);
    const count = Number(libc.read(descriptor, room, BigInt(maxTapFrameBytes)));
    if (count < 0) return getInt32(libc.__errno_location()) === tunError.again || end > 0 ? end : -1;
    batch.writeUInt32LE(count, end);
    end += batchHeaderBytes + count;
  }
  return end;
}

function run(descriptor: number): void {
  const request = Buffer.alloc(pollRequest.bytes);
  request.writeInt32LE(descriptor, pollRequest.descriptor);
  request.writeInt16LE(pollRequest.readable, pollRequest.events);
  const batch = Buffer.allocUnsafeSlow(batchBytes);
  while (Atomics.load(words, tapWord.stop) === 0) {
    const waiting = Atomics.load(words, tapWord.batches);
    if (waiting >= maxBatches) {
      Atomics.wait(words, tapWord.batches, waiting, pollMs);
      continue;
    }
    if (libc.poll(request, 1n, pollMs) <= 0) continue;
    const length = readBatch(descriptor, batch);
    if (length < 0) return;
    if (length === 0) continue;
    Atomics.add(words, tapWord.batches, 1);
    const bytes = new Uint8Array(length);
    bytes.set(batch.subarray(0, length));
    report({ kind: 'frames', bytes }, [bytes.buffer]);
  }
}

const descriptor = open();
if (descriptor !== undefined) run(descriptor);
report({ kind: 'ended' });
