/** What a TAP device's thread and the main thread agree on. */

export interface TapWorkerData {
  readonly name: string;
  readonly words: Int32Array<SharedArrayBuffer>;
}

/** Shared words: how many batches the main thread has not taken yet, and whether the thread is to end. */
export const tapWord = { batches: 0, stop: 1, count: 2 } as const;

export type TapReport =
  | { readonly kind: 'opened'; readonly descriptor: number }
  /** `code` is an errno's name. */
  | { readonly kind: 'refused'; readonly at: 'open' | 'interface'; readonly code: string }
  /** Frames with virtio's header, each after its length as a little-endian 32-bit number. */
  | { readonly kind: 'frames'; readonly bytes: Uint8Array }
  | { readonly kind: 'ended' };

export const batchHeaderBytes = 4;

export const maxTapFrameBytes = 65_536 + 256;
