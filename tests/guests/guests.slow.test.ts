import { defineLane } from './lane.ts';

defineLane({ slow: true, timeoutMs: 600_000 });
