import { defineLane } from './lane.ts';

defineLane({ slow: false, timeoutMs: 60_000 });
