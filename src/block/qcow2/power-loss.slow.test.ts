import { randomInt } from 'node:crypto';
import { definePowerLossLane } from './testing/power-loss-lane.ts';

definePowerLossLane(Number(process.env.CORBEL_DISK_SEED ?? randomInt(2 ** 31)), 1000);
