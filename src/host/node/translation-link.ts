/** The way to the translating thread, as the machine's thread sees it: messages that are looked for, never awaited. */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { TranslationResult, TranslationService } from '../../cpu/translate/job.ts';
import { MadeRegions } from '../../cpu/translate/made-regions.ts';
import type { SharedMachine } from '../../machine/shared-machine.ts';

/** What the translating thread is to do. */
export interface TranslationWork {
  /** One of each processor. */
  readonly ports: readonly MessagePort[];
  readonly cpuModel: string;
  readonly shared: Pick<SharedMachine, 'ram' | 'madeRegions'>;
  /** Whether the machine has several processors. */
  readonly atomic: boolean;
  readonly countsLookups: boolean;
}

export function openTranslationService(
  port: MessagePort,
  { processors, madeRegions }: Pick<SharedMachine, 'processors' | 'madeRegions'>,
): TranslationService {
  return {
    made: processors.length > 1 ? new MadeRegions(madeRegions) : undefined,
    post: (job) => port.postMessage(job, [job.pages.buffer, job.bitmaps.buffer, job.regions.buffer]),
    poll: () => receiveMessageOnPort(port)?.message as TranslationResult | undefined,
  };
}
