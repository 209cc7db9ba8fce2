import { randomInt } from 'node:crypto';
import { defineFuzzLane } from './fuzz-lane.ts';

defineFuzzLane(Number(process.env.CORBEL_DISK_SEED ?? randomInt(2 ** 31)), 1000);
