import { runProcess } from '../main.ts';

await runProcess(new URL('../../host/node/testing/fake-machine.ts', import.meta.url));
