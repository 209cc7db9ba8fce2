/** What goes between the tests, the harness and the recorded vectors. Record layouts: `harness.c`. */

import type { F80 } from '../../../src/cpu/softfloat/format.ts';

/** A 128-bit memory or register image. */
export type Image = bigint;

export interface OracleRequest {
  /** FCW or MXCSR. */
  readonly control: number;
  readonly a: Image;
  readonly b: Image;
}

export interface OracleReply {
  readonly r0: Image;
  readonly r1: Image;
  readonly memory: Image;
  /** FSW or MXCSR. */
  readonly status: number;
  readonly trapped: boolean;
}

export function imageOfF80(value: F80): Image {
  return (BigInt(value.signExponent) << 64n) | value.significand;
}

export function f80OfImage(image: Image): F80 {
  return { significand: BigInt.asUintN(64, image), signExponent: Number((image >> 64n) & 0xffffn) };
}

export const requestSize = 48;
export const replySize = 64;

/** Requests for the operation with `index` in the harness's list. */
export function encodeRequests(index: number, requests: readonly OracleRequest[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(requests.length * requestSize));
  requests.forEach((request, i) => {
    const base = i * requestSize;
    view.setUint32(base, index, true);
    view.setUint32(base + 4, request.control, true);
    writeImage(view, base + 8, request.a);
    writeImage(view, base + 24, request.b);
  });
  return new Uint8Array(view.buffer);
}

export function decodeRequests(bytes: Uint8Array): OracleRequest[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / requestSize }, (_, i) => {
    const base = i * requestSize;
    return {
      control: view.getUint32(base + 4, true),
      a: readImage(view, base + 8),
      b: readImage(view, base + 24),
    };
  });
}

export function decodeReplies(bytes: Uint8Array): OracleReply[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / replySize }, (_, i) => {
    const base = i * replySize;
    return {
      r0: readImage(view, base),
      r1: readImage(view, base + 16),
      memory: readImage(view, base + 32),
      status: view.getUint32(base + 48, true),
      trapped: view.getUint32(base + 52, true) !== 0,
    };
  });
}

function writeImage(view: DataView, offset: number, image: Image): void {
  view.setBigUint64(offset, BigInt.asUintN(64, image), true);
  view.setBigUint64(offset + 8, BigInt.asUintN(64, image >> 64n), true);
}

function readImage(view: DataView, offset: number): Image {
  return (view.getBigUint64(offset + 8, true) << 64n) | view.getBigUint64(offset, true);
}
