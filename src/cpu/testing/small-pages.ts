/** Pages of 4 KB for machines that `enterLongMode` has set up with large ones. */
import type { BareMachine } from './bare-machine.ts';

const level1 = 0x4_0000;
/** Of `enterLongMode`. */
const level2 = 0x3000;

/** Maps the first 2 MiB as before, by small pages. @returns what maps one of them to a physical address, with its flags */
export function mapSmallPages({ memory, vcpu }: BareMachine): (linear: number, entry: number) => void {
  for (let page = 0; page < 512; page++) memory.writeU64(level1 + page * 8, BigInt((page << 12) | 3));
  memory.writeU64(level2, BigInt(level1 | 3));
  vcpu.flushTlb('all');
  return (linear, entry) => {
    memory.writeU64(level1 + (linear >> 12) * 8, BigInt(entry));
    vcpu.flushTlb('all');
  };
}
