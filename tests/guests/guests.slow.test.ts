import { defineLane } from './lane.ts';

defineLane({ slow: true, timeoutMs: 600_000 });
defineLane({ slow: false, timeoutMs: 120_000, machines: ['corbel'], accel: 'translate' });
