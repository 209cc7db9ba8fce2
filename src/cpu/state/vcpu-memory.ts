/** A vCPU's own memory. In a file of its own: whoever allocates one need not load a processor. */
import { type WasmMemory, webAssembly } from '../../wasm/webassembly.ts';
import { vcpuMemoryPages } from './layout.ts';

export const createVcpuMemory = (): WasmMemory =>
  new webAssembly.Memory({ initial: vcpuMemoryPages, maximum: vcpuMemoryPages, shared: true });
