/** The host calls of x87, SSE and their state images. */
import { fpuStateCalls } from './fpu-state.ts';
import { sseCalls } from './sse-calls.ts';
import { x87Calls } from './x87/x87-calls.ts';

export const fpuCalls = { ...sseCalls, ...x87Calls, ...fpuStateCalls } as const;
