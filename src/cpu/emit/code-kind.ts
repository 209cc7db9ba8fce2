/** What kind of code runs, by the block key: i32. */
import type { Value } from '../../wasm/types.ts';
import { blockKeyOf, modeBits } from '../state/block-key.ts';
import { state } from '../state/layout.ts';
import type { Emitter } from './emitter.ts';

const size = (e: Emitter): Value => e.and(e.sub(e.loadState32(state.blockKey), blockKeyOf(0)), modeBits.size);

/** 32-bit code with flat segments? */
export const isFlatNow = (e: Emitter): Value => e.eq(size(e), modeBits.flat32);

/** Anything but 64-bit code? */
export const isLegacyNow = (e: Emitter): Value => e.ne(size(e), modeBits.size64);
