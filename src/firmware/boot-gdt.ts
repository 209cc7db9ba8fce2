/** The descriptor table that a guest starts with: null, null, flat code, flat data. */
import type { GuestMemory } from '../memory/guest-memory.ts';
import { linuxBoot } from '../spec/pc/linux-boot.ts';
import { flatAttributes } from '../spec/x86/flat-segments.ts';
import type { TableState } from './cpu-state.ts';

/** Linux asks for these selectors; the other protocols leave them open. */
export const bootSelector = { code: linuxBoot.bootCodeSelector, data: linuxBoot.bootDataSelector } as const;

export const bootGdtBytes = 32;

/** A descriptor with base 0 and limit 4 GiB. SDM Vol. 3A figure 3-8. */
const flatDescriptor = (attributes: number): bigint => 0x000f_0000_0000_ffffn | (BigInt(attributes & 0xf0ff) << 40n);

export function writeBootGdt(memory: GuestMemory, address: number, bits: 32 | 64): TableState {
  memory.writeU64(address, 0n);
  memory.writeU64(address + 8, 0n);
  memory.writeU64(
    address + bootSelector.code,
    flatDescriptor(bits === 64 ? flatAttributes.code64 : flatAttributes.code32),
  );
  memory.writeU64(address + bootSelector.data, flatDescriptor(flatAttributes.data));
  return { base: address, limit: bootGdtBytes - 1 };
}
