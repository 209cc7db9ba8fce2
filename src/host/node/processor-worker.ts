/** The thread of a processor beyond the first. */
import { parentPort, workerData } from 'node:worker_threads';
import type { CreateProcessor } from '../../machine/config.ts';
import { readPreparedInterpreter } from './prepared-interpreter.ts';
import { openTranslationService } from './translation-link.ts';
import type { ProcessorWorkerData } from './vm.ts';
import { createProcessorHost } from './vm-link.ts';
import { loadWideExchange } from './wide-exchange.ts';

const { link, shared, config, machineModule, translation, processor } = workerData as ProcessorWorkerData;
const { createProcessor } = (await import(machineModule)) as { createProcessor: CreateProcessor };

const service = translation === undefined ? undefined : openTranslationService(translation, shared);
const interpreter = readPreparedInterpreter();
const wideExchange = loadWideExchange();
const host = { ...createProcessorHost(link, processor), translation: service, interpreter, wideExchange };
const running = createProcessor(config, shared, host, processor);
running.run();
parentPort?.postMessage(running.statistics());
