import { defineFuzzLane } from './lane.ts';

defineFuzzLane({ instructions: 100_000, seed: 1, timeoutMs: 120_000 });
