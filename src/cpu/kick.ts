import type { WasmMemory } from '../wasm/webassembly.ts';
import { state } from './state/layout.ts';

/** A function that ends a running slice, from any thread: as `Vcpu.kick`. @param ownMemory the vCPU's */
export function kickOf(ownMemory: WasmMemory): () => void {
  const request = new Int32Array(ownMemory.buffer, state.request, 1);
  return () => void Atomics.store(request, 0, -1);
}
