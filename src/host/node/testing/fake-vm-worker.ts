/** The thread of the fake machine. */
import { machineThread } from '../machine-threads.ts';
import { createMachine } from './fake-machine.ts';

export const start = machineThread(createMachine);
