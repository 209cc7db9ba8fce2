import { type GuestMemory, pageSize } from '../../memory/guest-memory.ts';
import type { CodeCache } from '../interpret/code-cache.ts';
import type { Tlb } from '../mmu/tlb.ts';
import type { Siblings } from './siblings.ts';

interface Caches {
  readonly memory: GuestMemory;
  readonly tlb: Tlb;
  readonly code: CodeCache;
}

/** What becomes of a processor's caches when others write, and of theirs when it does. */
export function joinSiblings(siblings: Siblings, { memory, tlb, code }: Caches): void {
  memory.onRemoteCodeWrite((processors, ramOffset, length) => siblings.tellWritten(processors, ramOffset, length));
  siblings.attach({
    protect: (ramPage) => {
      // First out of the TLB, then out of the list of those that may write.
      tlb.protectRamPage(ramPage * pageSize);
      memory.users.releaseWrite(ramPage);
    },
    protectAll: () => {
      tlb.flushAll();
      memory.users.releaseAllWrites(memory.size / pageSize);
    },
    dropCode: ({ ramOffset, length }) => memory.dropCode(ramOffset, length),
    dropAllCode: () => code.clear(),
  });
}
