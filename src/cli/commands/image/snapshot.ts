import { formatByteSize } from '../../../block/byte-size.ts';
import { loadSnapshots, type Snapshot } from '../../../block/qcow2/snapshot/snapshot-table.ts';
import { applySnapshot, deleteSnapshot, takeSnapshot } from '../../../block/qcow2/snapshot/snapshots.ts';
import { ok, type Result } from '../../../support/result.ts';
import { shownName } from '../../../support/shown-name.ts';
import {
  type CommandFailure,
  done,
  formatRow,
  type ImageCall,
  type ImageCommand,
  jsonRow,
  quietRow,
  type Status,
  usage,
  withQcow2,
} from './command.ts';

const actions = ['create', 'apply', 'delete'] as const;

export const snapshotCommand: ImageCommand = {
  name: 'snapshot',
  usage: '[options] FILE',
  help: `Lists the snapshots within an image, or takes, goes back to or deletes one. A
name that several have means the first of them; IDs come before names.`,
  rows: [
    { name: 'list', short: 'l', help: 'list the snapshots (the default)' },
    { name: 'create', short: 'c', value: 'NAME', help: 'take a snapshot of the disk as it is' },
    { name: 'apply', short: 'a', value: 'NAME', help: 'make the disk what it was; later writes are lost' },
    { name: 'delete', short: 'd', value: 'NAME', help: 'delete a snapshot' },
    formatRow,
    jsonRow,
    quietRow,
  ],
  operands: [1, 1],
  run: snapshot,
};

async function snapshot(call: ImageCall): Promise<Status> {
  const [path = ''] = call.operands;
  const wanted = actions.filter((name) => call.has(name));
  if (wanted.length > 1 || (wanted.length === 1 && call.has('list'))) return usage('one thing at a time, please.');
  const [action] = wanted;
  return withQcow2(call, path, { readOnly: action === undefined, doing: 'have snapshots' }, async ({ image }) => {
    if (action === undefined) {
      const listed = await loadSnapshots(image.file, image.header);
      return listed.ok ? print(call, listed.value.snapshots) : listed;
    }
    const name = call.value(action) ?? '';
    if (name === '') return usage('a snapshot has a name.');
    const changed = await (action === 'create'
      ? takeSnapshot(image, name, Date.now())
      : action === 'apply'
        ? applySnapshot(image, name)
        : deleteSnapshot(image, name));
    return changed.ok ? done : changed;
  });
}

/** Keys are those of qemu-img's JSON. */
export function snapshotFacts(snapshot: Snapshot): Record<string, unknown> {
  return {
    id: snapshot.id,
    name: snapshot.name,
    'vm-state-size': snapshot.vmStateBytes,
    'date-sec': snapshot.dateSeconds,
    'date-nsec': snapshot.dateNanoseconds,
    'vm-clock-sec': Math.floor(snapshot.vmClockNs / 1e9),
    'vm-clock-nsec': snapshot.vmClockNs % 1e9,
    ...(snapshot.diskBytes === undefined ? {} : { 'disk-size': snapshot.diskBytes }),
  };
}

/** A table for people. */
export function snapshotLines(snapshots: readonly Snapshot[]): string {
  const rows = [
    ['ID', 'NAME', 'DISK', 'VM STATE', 'DATE'],
    ...snapshots.map(({ id, name, diskBytes, vmStateBytes, dateSeconds }) => [
      shownName(id),
      shownName(name),
      diskBytes === undefined ? '-' : formatByteSize(diskBytes),
      vmStateBytes === 0 ? '-' : formatByteSize(vmStateBytes),
      new Date(dateSeconds * 1000).toISOString().replace(/\.000Z$/, 'Z'),
    ]),
  ];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) => `${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ')}\n`).join('');
}

function print(call: ImageCall, snapshots: readonly Snapshot[]): Result<number, CommandFailure> {
  if (call.has('json')) call.print(`${JSON.stringify(snapshots.map(snapshotFacts), null, 2)}\n`);
  else if (snapshots.length > 0) call.print(snapshotLines(snapshots));
  return ok(0);
}
