/**
 * The part of the WebAssembly JavaScript API that the engine uses. TypeScript declares it only together with the DOM,
 * which the engine must not see.
 */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
}

export interface WasmTable {
  readonly length: number;
  get(index: number): unknown;
  set(index: number, value: unknown): void;
  grow(delta: number): number;
}

export type WasmModule = { readonly __wasmModule: true };
export interface WasmInstance {
  readonly exports: Record<string, unknown>;
}

interface WasmNamespace {
  Memory: new (descriptor: { initial: number; maximum: number; shared: true }) => WasmMemory;
  Table: new (descriptor: { element: 'anyfunc'; initial: number; maximum?: number }) => WasmTable;
  Module: {
    new (bytes: Uint8Array<ArrayBuffer>): WasmModule;
    customSections(module: WasmModule, name: string): ArrayBuffer[];
  };
  Instance: new (module: WasmModule, imports: Record<string, Record<string, unknown>>) => WasmInstance;
}

/** The host's WebAssembly. */
export const webAssembly: WasmNamespace = (globalThis as unknown as { WebAssembly: WasmNamespace }).WebAssembly;
