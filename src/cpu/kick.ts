import type { WasmMemory } from '../wasm/webassembly.ts';
import { state } from './state/layout.ts';

/** Ends a running slice, from any thread: as `Vcpu.kick`. @param ownMemory the vCPU's */
export function kickVcpu(ownMemory: WasmMemory): void {
  Atomics.store(new Int32Array(ownMemory.buffer, state.request, 1), 0, -1);
}
