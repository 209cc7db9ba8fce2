/** Which status flags are still looked at: nobody computes what the next instruction overwrites. */
import type { Instruction } from '../decode/instruction.ts';
import type { FlowGraph } from './flow-graph.ts';

/** The two words that flags are kept in (`emit/flags.ts`), as a set of bits. */
export const flagWord = { result: 1, aux: 2 } as const;

export interface FlagEffect {
  /** Words that the instruction reads before it has overwritten them. */
  readonly uses: number;
  /** Words that it certainly overwrites. */
  readonly kills: number;
}

/**
 * For every node by order: the words that an instruction in the region reads before anything overwrites them. That
 * instructions outside may read them is not counted: the region's ends hand on all flags, in whatever form they are.
 */
export function liveFlags(graph: FlowGraph, effectOf: (instruction: Instruction) => FlagEffect): number[] {
  const own = graph.nodes.map(({ block }) => {
    let [uses, kills] = [0, 0];
    for (const { instruction } of block?.instructions ?? []) {
      const effect = effectOf(instruction);
      uses |= effect.uses & ~kills;
      kills |= effect.kills;
    }
    return { uses, kills };
  });
  const live = own.map(({ uses }) => uses);
  for (let changed = true; changed; ) {
    changed = false;
    for (const { order, successors } of graph.nodes.toReversed()) {
      let out = 0;
      for (const offset of successors) out |= live[graph.byOffset.get(offset)?.order ?? -1] ?? 0;
      const { uses, kills } = own[order] as FlagEffect;
      const wanted = uses | (out & ~kills);
      if (wanted !== live[order]) {
        live[order] = wanted;
        changed = true;
      }
    }
  }
  return live;
}
