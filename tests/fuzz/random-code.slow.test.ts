import { randomInt } from 'node:crypto';
import { defineFuzzLane } from './lane.ts';

/** CORBEL_FUZZ_SEED repeats a run; every test tells its own command, too. */
const seed = Number(process.env.CORBEL_FUZZ_SEED ?? randomInt(2 ** 31));

defineFuzzLane({ instructions: 10_000_000, seed, timeoutMs: 1_800_000 });
