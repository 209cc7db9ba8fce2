import { askControl } from '../../host/node/control/control-client.ts';
import { liveShares } from '../../host/node/fair-use/share-board.ts';
import type { ShareRecord } from '../../host/node/fair-use/share-record.ts';
import { sharedNowNs } from '../../host/node/vm-link.ts';
import { listVms, type VmEntry, vmSockets } from '../../host/node/vms/registry.ts';
import { type CommandDescription, readCommandLine } from '../command-line.ts';
import { refuse } from '../conclusion.ts';
import { exitStatus } from '../exit-status.ts';
import { formatMemorySize } from '../memory-size.ts';
import { formatTable } from '../table.ts';

const description: CommandDescription = {
  command: 'corbel ps',
  operands: '[options]',
  count: { min: 0, max: 0 },
  help: `Lists the virtual machines that run and have a name. Their state is starting,
running, paused, or unresponsive; of the others ended, crashed (their process
has died) or damaged (their records cannot be read).`,
  rows: [
    { name: 'all', help: 'list those that have ended, too, and how they did' },
    { name: 'json', help: 'print the list as JSON' },
  ],
};

const answerMs = 2000;

/** A running one, as it sees itself. */
type LiveState = 'starting' | 'running' | 'paused' | 'unresponsive';

interface Listed {
  readonly entry: VmEntry;
  readonly state: VmEntry['state'] | LiveState;
  /** What it may have of this host's processors, and has had. */
  readonly share: ShareRecord | undefined;
}

export async function psCommand(args: readonly string[]): Promise<number> {
  const line = readCommandLine(description, args);
  if (typeof line === 'number') return line;
  const vms = listVms();
  if (!vms.ok) return refuse(vms.error);
  const all = line.values.has('all');
  const shown = vms.value.filter((entry) => all || entry.state === 'running');
  const shares = liveShares(sharedNowNs());
  const listed = await Promise.all(
    shown.map(async (entry) => {
      const share = entry.process === undefined ? undefined : shares.get(entry.process.pid);
      return {
        entry,
        share: share?.started === entry.process?.started ? share : undefined,
        state: await stateOf(entry),
      };
    }),
  );
  const text = line.values.has('json') ? `${JSON.stringify(listed.map(facts), null, 2)}\n` : table(listed, all);
  process.stdout.write(text);
  return exitStatus.ok;
}

async function stateOf(entry: VmEntry): Promise<Listed['state']> {
  const sockets = vmSockets(entry);
  if (sockets === undefined) return entry.state;
  const status = await askControl<'status'>(sockets.control, { command: 'status' }, answerMs);
  if (status.ok) return status.value.state;
  // Its sockets are opened a moment after it has its name.
  return status.error.kind === 'unreachable' ? 'starting' : 'unresponsive';
}

/** What programs get; later versions may add to it. */
function facts({ entry, state, share }: Listed) {
  const { name, definition, process: holder, outcome, stateFolder, damage } = entry;
  return {
    name,
    state,
    pid: entry.state === 'running' ? (holder?.pid ?? null) : null,
    startedAt: holder?.startedAt ?? null,
    memoryBytes: definition?.memoryBytes ?? null,
    boots: definition?.boots ?? null,
    detached: definition?.detached ?? null,
    cpu: share === undefined ? null : cpuFacts(share),
    outcome: outcome ?? null,
    damage: damage ?? null,
    stateFolder,
  };
}

function cpuFacts({ shares, limit, reserve, usedNs }: ShareRecord) {
  return { shares, limit: limit ?? null, reserve, usedSeconds: usedNs / 1e9 };
}

function table(listed: readonly Listed[], all: boolean): string {
  const head = ['NAME', 'STATE', 'PID', 'AGE', 'MEMORY', 'BOOTS', ...(all ? ['END'] : [])];
  const rows = listed.map((vm) => {
    const { name, state, pid, startedAt, memoryBytes, boots, outcome, damage } = facts(vm);
    const columns = [
      name,
      state,
      pid === null ? '-' : String(pid),
      startedAt === null ? '-' : formatAge(Date.now() - Date.parse(startedAt)),
      memoryBytes === null ? '-' : formatMemorySize(memoryBytes),
      boots ?? '-',
    ];
    return all ? [...columns, outcome?.summary ?? damage ?? ''] : columns;
  });
  return formatTable([head, ...rows]);
}

/** The largest unit that it has one of: 59s, 3m, 27h, 12d. */
function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 48 * 3600 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
