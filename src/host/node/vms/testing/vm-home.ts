/** Folders of its own for a test file's virtual machines, for this process and those it starts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { signalProcess } from '../process-identity.ts';
import { listVms } from '../registry.ts';

/** @returns the folder that holds everything; what still runs at the end of the tests is killed */
export function useVmHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'corbel-vms-'));
  process.env.XDG_STATE_HOME = join(home, 'state');
  process.env.XDG_RUNTIME_DIR = join(home, 'run');
  after(() => {
    const vms = listVms();
    const holders = (vms.ok ? vms.value : []).map((vm) => vm.process);
    for (const holder of holders) {
      if (holder !== undefined && holder.pid !== process.pid) signalProcess(holder, 'SIGKILL');
    }
    rmSync(home, { recursive: true, force: true, maxRetries: 10 });
  });
  return home;
}
