/** The machine's thread: builds the machine, runs it to its end, reports. */
import { parentPort, workerData } from 'node:worker_threads';
import type { BootSource, CreateMachine } from '../../machine/config.ts';
import { buffersOf } from './boot-files.ts';
import { readPreparedInterpreter } from './prepared-interpreter.ts';
import { openTranslationService } from './translation-link.ts';
import type { VmMessage, VmReport, VmWorkerData } from './vm.ts';
import { createMachineHost } from './vm-link.ts';
import { loadWideExchange } from './wide-exchange.ts';

const { link, shared, config, machineModule, translation } = workerData as VmWorkerData;
const { createMachine } = (await import(machineModule)) as { createMachine: CreateMachine };

function post(message: VmMessage): void {
  parentPort?.postMessage(message);
}

/** What a kernel was loaded from lies in the guest's memory now; these bytes, which this thread owns, would stay for good. */
function giveBack(boot: BootSource): void {
  if (boot.kind !== 'kernel') return;
  for (const buffer of buffersOf(boot)) buffer.transfer(0);
}

function run(): VmReport {
  const service = translation === undefined ? undefined : openTranslationService(translation, shared);
  const interpreter = readPreparedInterpreter();
  const wideExchange = shared.processors.length > 1 ? loadWideExchange() : undefined;
  const host = { ...createMachineHost(link, post), translation: service, interpreter, wideExchange };
  const machine = createMachine(config, shared, host);
  if (!machine.ok) return { kind: 'refused', failure: machine.error };
  giveBack(config.boot);
  post({ kind: 'started' });
  const outcome = machine.value.run();
  return { kind: 'ended', outcome, statistics: machine.value.statistics(), profile: machine.value.profile() };
}

post(run());
