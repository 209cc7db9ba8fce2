/** Whose rights an access has. SDM Vol. 3A 4.6. */
import type { WalkRights } from './walk.ts';

/** By TLB context: the supervisor, the supervisor under SMAP, the user. */
export const contextRights: readonly [WalkRights, WalkRights, WalkRights] = [
  { user: false, overrideSmap: true },
  { user: false, overrideSmap: false },
  { user: true, overrideSmap: false },
];

/** The processor's own: descriptor tables, the TSS, stacks of inner levels. */
export const [, implicitRights, userRights] = contextRights;
