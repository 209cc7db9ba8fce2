/** The two memories that all emitted code works on: 0 is the vCPU's own, 1 the guest's RAM. */

import { maxPageUsersPages } from '../../memory/page-users.ts';
import type { ModuleBuilder } from '../../wasm/module-builder.ts';
import { vcpuMemoryPages } from '../state/layout.ts';

/** RAM of every size that a memory can have, so that a module does not depend on the guest. */
const ramPages = { initial: 1, maximum: 1 << 16 } as const;

/** Number of the memory of `PageUsers`, in modules that import it. */
export const pageUsersMemory = 2;

export function importPageUsers(module: ModuleBuilder): void {
  module.importMemory('users', { initial: 1, maximum: maxPageUsersPages });
}

export function importMemories(module: ModuleBuilder): void {
  module.importMemory('vcpu', { initial: vcpuMemoryPages, maximum: vcpuMemoryPages });
  module.importMemory('ram', ramPages);
}
