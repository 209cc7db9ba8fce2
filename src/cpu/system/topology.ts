/** How a machine's processors share cores and packages, and the APIC IDs that say so. SDM Vol. 3A 9.9. */

export interface Topology {
  readonly sockets: number;
  /** In a socket. */
  readonly cores: number;
  /** In a core. */
  readonly threads: number;
}

/** One processor. */
export const uniprocessor: Topology = { sockets: 1, cores: 1, threads: 1 };

export const processorCount = ({ sockets, cores, threads }: Topology): number => sockets * cores * threads;

/** Bits of a field that numbers `count` things. */
const fieldBits = (count: number): number => 32 - Math.clz32(count - 1);

/** How far an APIC ID is shifted right to get the number of the core, and that of the package. */
export function apicIdShifts({ cores, threads }: Topology): { core: number; package: number } {
  const core = fieldBits(threads);
  return { core, package: core + fieldBits(cores) };
}

/** The initial APIC ID. @param processor from 0 on: the threads of a core follow each other, then the cores of a socket */
export function apicIdOf(topology: Topology, processor: number): number {
  const { cores, threads } = topology;
  const shifts = apicIdShifts(topology);
  const core = Math.floor(processor / threads);
  return (Math.floor(core / cores) << shifts.package) | ((core % cores) << shifts.core) | (processor % threads);
}

/** The APIC IDs of all processors, in their order. */
export const apicIdsOf = (topology: Topology): number[] =>
  Array.from({ length: processorCount(topology) }, (_, processor) => apicIdOf(topology, processor));
