/** The thread of a processor beyond the first. */
import { createProcessor } from '../../machine/machine.ts';
import { processorThread } from './machine-threads.ts';

export const start = processorThread(createProcessor);
