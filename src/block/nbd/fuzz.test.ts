import { defineNbdFuzzLane } from '../testing/nbd-fuzz-lane.ts';

defineNbdFuzzLane(1000);
