/** The thread of the fake machine's further processors. */
import { processorThread } from '../machine-threads.ts';
import { createProcessor } from './fake-machine.ts';

export const start = processorThread(createProcessor);
