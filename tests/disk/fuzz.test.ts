import { defineFuzzLane } from './fuzz-lane.ts';

defineFuzzLane(Number(process.env.CORBEL_DISK_SEED ?? 1), 40);
