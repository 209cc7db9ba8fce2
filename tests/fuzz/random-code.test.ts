import { defineFuzzLane } from './lane.ts';

defineFuzzLane({ instructions: 60_000, seed: 1, timeoutMs: 120_000 });
