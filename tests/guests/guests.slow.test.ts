import { defineLane } from './lane.ts';

defineLane({ slow: true, timeoutMs: 600_000 });
defineLane({ slow: false, timeoutMs: 120_000, machines: ['corbel'], accel: 'translate' });
// Lockstep is for one processor.
defineLane({ slow: false, timeoutMs: 300_000, machines: ['corbel'], accel: 'verify', maxCpus: 1 });
// Where the host cannot exchange 16 bytes for a guest, the other processors stop.
defineLane({
  slow: false,
  timeoutMs: 120_000,
  machines: ['corbel'],
  nodeOptions: ['--no-experimental-ffi'],
  minCpus: 2,
});
