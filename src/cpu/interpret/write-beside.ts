/**
 * Writes to pages with code. They need not leave WebAssembly where there is none, which is most of what kernels write there; where code
 * is, `CodeChunks` tells.
 */
import { pageUsers } from '../../memory/page-users.ts';
import { compareExchange, i32Constant, loadI32, loadI64 } from '../../wasm/expression.ts';
import { atomic } from '../../wasm/opcodes.ts';
import type { Value } from '../../wasm/types.ts';
import type { Emitter } from '../emit/emitter.ts';
import { engine, state } from '../state/layout.ts';
import { pageUsersMemory } from './memories.ts';
import { pageBits } from './page-walk.ts';
import { chunkBytes } from './record-index.ts';

/** Whether any of `coders` (i32, a bit each) has code in the chunks of a page of RAM that `touched` (i64, a bit each) tells. */
function isHeld(e: Emitter, coders: Value, page: Value, touched: Value): Value {
  const left = e.variable('i32', coders);
  const held = e.variable('i64', e.i64(0));
  e.block((done) => {
    e.loop((again) => {
      e.branchIf(e.isZero(e.get(left)), done);
      const own = e.shl(e.ctz(e.get(left)), pageUsers.processorShift);
      const chunks = loadI64(e.add(own, e.shl(page, pageUsers.pageShift)), pageUsers.chunks, pageUsersMemory);
      e.set(held, e.or(e.get(held), chunks));
      e.set(left, e.and(e.get(left), e.sub(e.get(left), 1)));
      e.branch(again);
    });
  });
  return e.ne(e.and(e.get(held), touched), 0n);
}

/**
 * Writes what lies in state.scratch to RAM, if no code is there. `done` must not fall through.
 * @param functions numbers of those that move it, and tell other processors
 */
export function writeBeside(
  e: Emitter,
  ram: Value,
  bytes: Value,
  { move, written }: { readonly move: number; readonly written: number },
  done: () => void,
): void {
  const page = e.let(e.shrU(ram, pageBits));
  // The count of a shift is taken modulo 64, which is how many chunks a page has.
  const bitOf = (at: Value): Value => e.shl(e.i64(1), e.extendU(e.shrU(at, Math.log2(chunkBytes))));
  const touched = e.let(e.or(bitOf(ram), bitOf(e.add(ram, e.sub(bytes, 1)))));
  const word = e.let(e.shl(page, 2));
  const coders = e.and(loadI32(word, 0, pageUsersMemory), pageUsers.coders);
  e.if(e.isZero(isHeld(e, coders, page, touched)), () => {
    e.code.call(move, [ram, i32Constant(state.scratch), bytes]);
    // As in `PageUsers.otherCoders`: code that was claimed meanwhile is seen here, or has been read as it was written.
    const users = e.let(compareExchange(atomic.i32CompareExchange, word, e.i32(0), e.i32(0), pageUsersMemory));
    const own = e.shrU(e.loadState32(engine.writerBit), pageUsers.writerShift);
    const others = e.and(e.and(users, pageUsers.coders), e.not(own));
    e.if(isHeld(e, others, page, touched), () => e.code.call(written, [ram, bytes]));
    done();
  });
}
