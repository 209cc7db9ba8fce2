import { defineImageFuzzLane } from '../testing/image-fuzz-lane.ts';

defineImageFuzzLane(300);
