/** Whose rights an access has. SDM Vol. 3A 4.6. */
import { tlbContext } from '../state/layout.ts';
import type { WalkRights } from './walk.ts';

const supervisorRights: WalkRights = { user: false, overrideSmap: true };
/** The processor's own: descriptor tables, the TSS, stacks of inner levels. */
export const implicitRights: WalkRights = { user: false, overrideSmap: false };
export const userRights: WalkRights = { user: true, overrideSmap: false };

/** In a TLB context, which is not `checked`. */
export function rightsOf(context: number): WalkRights {
  if (context >= tlbContext.user) return userRights;
  return context === tlbContext.supervisor ? supervisorRights : implicitRights;
}
