/** The thread of a machine and its first processor. */
import { createMachine } from '../../machine/machine.ts';
import { machineThread } from './machine-threads.ts';

export const start = machineThread(createMachine);
