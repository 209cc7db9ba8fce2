import { definePowerLossLane } from './testing/power-loss-lane.ts';

definePowerLossLane(Number(process.env.CORBEL_DISK_SEED ?? 1), 25);
