import { defineImageFuzzLane } from '../testing/image-fuzz-lane.ts';

defineImageFuzzLane(5000);
