/** What a machine's threads do: build it, run it to its end, report. */
import { parentPort } from 'node:worker_threads';
import type { BootSource, CreateMachine, CreateProcessor } from '../../machine/config.ts';
import { buffersOf } from './boot-files.ts';
import type { ThreadProgram } from './guest-thread.ts';
import { receiveWork } from './guest-threads.ts';
import { readPreparedInterpreter } from './prepared-interpreter.ts';
import { openTranslationService } from './translation-link.ts';
import type { ProcessorWork, VmMessage, VmReport, VmWork } from './vm.ts';
import { createMachineHost, createProcessorHost } from './vm-link.ts';
import { loadWideExchange } from './wide-exchange.ts';

/** The program of a machine and its first processor. */
export function machineThread(createMachine: CreateMachine): ThreadProgram['start'] {
  return (keepCompiled) =>
    receiveWork((work: VmWork) => {
      const report = run(createMachine, work);
      if (report.kind === 'ended') keepCompiled();
      post(report);
    });
}

/** The program of a processor beyond the first. */
export function processorThread(createProcessor: CreateProcessor): ThreadProgram['start'] {
  return (keepCompiled) =>
    receiveWork(({ link, shared, config, translation, processor }: ProcessorWork) => {
      const service = translation === undefined ? undefined : openTranslationService(translation, shared);
      const wideExchange = loadWideExchange();
      const host = {
        ...createProcessorHost(link, processor),
        translation: service,
        wideExchange,
        interpreter: readPreparedInterpreter,
      };
      const running = createProcessor(config, shared, host, processor);
      running.run();
      keepCompiled();
      parentPort?.postMessage(running.statistics());
    });
}

function post(message: VmMessage): void {
  parentPort?.postMessage(message);
}

/** What a kernel was loaded from lies in the guest's memory now; these bytes, which this thread owns, would stay for good. */
function giveBack(boot: BootSource): void {
  if (boot.kind !== 'kernel') return;
  for (const buffer of buffersOf(boot)) buffer.transfer(0);
}

function run(createMachine: CreateMachine, { link, shared, config, translation }: VmWork): VmReport {
  const service = translation === undefined ? undefined : openTranslationService(translation, shared);
  const wideExchange = shared.processors.length > 1 ? loadWideExchange() : undefined;
  const host = {
    ...createMachineHost(link, post),
    translation: service,
    wideExchange,
    interpreter: readPreparedInterpreter,
  };
  const machine = createMachine(config, shared, host);
  if (!machine.ok) return { kind: 'refused', failure: machine.error };
  giveBack(config.boot);
  post({ kind: 'started' });
  const outcome = machine.value.run();
  return { kind: 'ended', outcome, statistics: machine.value.statistics(), profile: machine.value.profile() };
}
