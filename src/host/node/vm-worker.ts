/** The machine's thread: builds the machine, runs it to its end, reports. */
import { parentPort, workerData } from 'node:worker_threads';
import type { CreateMachine } from '../../machine/config.ts';
import { openTranslationService } from './translation-link.ts';
import type { VmReport, VmWorkerData } from './vm.ts';
import { createMachineHost } from './vm-link.ts';

const { link, shared, config, machineModule, translation } = workerData as VmWorkerData;
const { createMachine } = (await import(machineModule)) as { createMachine: CreateMachine };

function run(): VmReport {
  const service = translation === undefined ? undefined : openTranslationService(translation);
  const host = { ...createMachineHost(link), translation: service };
  const machine = createMachine(config, shared, host);
  if (!machine.ok) return { kind: 'refused', failure: machine.error };
  const outcome = machine.value.run();
  return { kind: 'ended', outcome, statistics: machine.value.statistics(), profile: machine.value.profile() };
}

parentPort?.postMessage(run());
