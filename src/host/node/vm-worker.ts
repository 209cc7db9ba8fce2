/** The machine's thread: builds the machine, runs it to its end, reports. */
import { parentPort, workerData } from 'node:worker_threads';
import type { CreateMachine } from '../../machine/config.ts';
import type { VmReport, VmWorkerData } from './vm.ts';
import { createMachineHost } from './vm-link.ts';

const { link, config, machineModule } = workerData as VmWorkerData;
const { createMachine } = (await import(machineModule)) as { createMachine: CreateMachine };

function run(): VmReport {
  const machine = createMachine(config, createMachineHost(link));
  if (!machine.ok) return { kind: 'refused', failure: machine.error };
  const outcome = machine.value.run();
  return { kind: 'ended', outcome, statistics: machine.value.statistics() };
}

parentPort?.postMessage(run());
