/**
 * LOCK CMPXCHG16B on guest RAM as the host's own processor does it, by the C compiler's runtime library (libatomic), which Node is
 * linked with. Without it the other processors have to stop for each: a hundred thousand times a second under load.
 */
import { readFileSync } from 'node:fs';
import { wideOperands } from '../../cpu/emit/wide-exchange.ts';
import type { Bus } from '../../cpu/smp/bus-module.ts';
import type { WasmMemory } from '../../wasm/webassembly.ts';
import { loadForeignFunctions } from './foreign-functions.ts';

/** On other processors, and without this flag, the library takes a lock of its own, which emitted code does not know. */
function hasInstruction(): boolean {
  if (process.arch !== 'x64') return false;
  try {
    return /^flags\s*:.*\bcx16\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return false;
  }
}

/** @returns undefined where this host cannot */
export function loadWideExchange(): ((ram: WasmMemory, own: WasmMemory) => Bus['exchangeWide']) | undefined {
  const ffi = loadForeignFunctions();
  if (ffi === undefined || !hasInstruction()) return undefined;
  try {
    const { functions } = ffi.dlopen(null, {
      // (place, what to compare with and where to put what was there, low and high half of the new value). Two more say which order
      // is wanted; the instruction has but one, the strongest. As pointers Node takes them in 265 ns, as numbers in 590: those it
      // checks in JavaScript, by way of an array.
      __atomic_compare_exchange_16: { arguments: ['pointer', 'pointer', 'pointer', 'pointer'], return: 'u8' },
    });
    const exchange = functions.__atomic_compare_exchange_16;
    return (ram, own) => {
      const ramAddress = ffi.getRawPointer(new Uint8Array(ram.buffer));
      const expected = ffi.getRawPointer(new Uint8Array(own.buffer)) + BigInt(wideOperands.expected);
      const replacement = new BigUint64Array(own.buffer, wideOperands.replacement, 2);
      return (ramOffset) =>
        exchange(ramAddress + BigInt(ramOffset >>> 0), expected, replacement[0] as bigint, replacement[1] as bigint);
    };
  } catch {
    // A Node that is linked otherwise.
    return undefined;
  }
}
