import { GuestThreads } from '../../host/node/guest-threads.ts';
import { runProcess } from '../main.ts';

const program = (kind: string): URL => new URL(`../../host/node/testing/fake-${kind}.ts`, import.meta.url);
const threads = new GuestThreads({
  'vm-worker': program('vm-worker'),
  'processor-worker': program('processor-worker'),
});
await runProcess(threads, () => {});
