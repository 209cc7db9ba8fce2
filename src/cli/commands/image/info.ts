import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { formatByteSize } from '../../../block/byte-size.ts';
import type { DiskFailure } from '../../../block/disk-failure.ts';
import { type OpenedImage, openImage } from '../../../block/open-image.ts';
import { describeQcow2, type Qcow2Description } from '../../../block/qcow2/describe.ts';
import { Qcow2Disk } from '../../../block/qcow2/qcow2-disk.ts';
import { loadSnapshots, type Snapshot } from '../../../block/qcow2/snapshot/snapshot-table.ts';
import { NodeBlockFiles } from '../../../host/node/disk/block-files.ts';
import { qcow2Limit } from '../../../spec/qcow2.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { shownName } from '../../../support/shown-name.ts';
import {
  type CommandFailure,
  done,
  formatRow,
  type ImageCall,
  type ImageCommand,
  jsonRow,
  type Status,
  withDisk,
} from './command.ts';
import { snapshotFacts, snapshotLines } from './snapshot.ts';

export const infoCommand: ImageCommand = {
  name: 'info',
  usage: '[options] FILE',
  help: 'Tells what an image is.',
  rows: [
    formatRow,
    { name: 'backing-chain', help: 'tell the same of everything below it' },
    { name: 'force-share', short: 'U', help: 'also look at an image that is in use; what is told may be\nout of date' },
    jsonRow,
  ],
  operands: [1, 1],
  run: info,
};

interface ImageFacts {
  readonly filename: string;
  readonly format: string;
  readonly virtualBytes: number;
  readonly actualBytes: number | undefined;
  readonly clusterBytes?: number;
  readonly backingFile?: string;
  readonly fullBackingFile?: string;
  readonly backingFormat?: string;
  readonly snapshots: readonly Snapshot[];
  readonly specific?: Qcow2Description;
}

async function info(call: ImageCall): Promise<Status> {
  const [path = ''] = call.operands;
  const chain: ImageFacts[] = [];
  let next: { readonly name: string; readonly format: string | undefined } | undefined;
  next = { name: path, format: call.value('format') };
  while (next !== undefined) {
    const { name }: { readonly name: string } = next;
    if (chain.some(({ filename }) => filename === name))
      return fail('corrupt', `the backing files of ${path} go in circles.`);
    const facts = await factsOf(call, next.name, next.format);
    if (!facts.ok) return facts;
    chain.push(facts.value);
    const { fullBackingFile, backingFormat } = facts.value;
    const goesOn = call.has('backing-chain') && fullBackingFile !== undefined;
    next = goesOn ? { name: fullBackingFile, format: backingFormat } : undefined;
  }
  if (call.has('json')) {
    const objects = chain.map(jsonFacts);
    call.print(`${JSON.stringify(call.has('backing-chain') ? objects : objects[0], null, 2)}\n`);
  } else {
    call.print(chain.map(describe).join('\n'));
  }
  return done;
}

async function factsOf(
  call: ImageCall,
  name: string,
  format: string | undefined,
): Promise<Result<ImageFacts, CommandFailure>> {
  // Without the C library there are no locks, neither taken nor heeded.
  const host = call.has('force-share') ? { ...call.host, files: new NodeBlockFiles(undefined) } : call.host;
  const opened = await openImage(host, name, { format, readOnly: true, withoutBacking: true });
  return opened.ok ? withDisk(opened.value.disk, () => gather(name, opened.value)) : opened;
}

async function gather(name: string, { disk, format }: OpenedImage): Promise<Result<ImageFacts, DiskFailure>> {
  const status = await stat(name).catch(() => undefined);
  const general = {
    filename: name,
    format,
    virtualBytes: disk.sizeBytes,
    actualBytes: status === undefined ? undefined : status.blocks * 512,
  };
  if (!(disk instanceof Qcow2Disk)) return ok({ ...general, snapshots: [] });
  const { image } = disk;
  const { header, geometry } = image;
  const listed = await loadSnapshots(image.file, header);
  if (!listed.ok) return listed;
  const { backingFile, backingFormat } = header;
  return ok({
    ...general,
    clusterBytes: geometry.clusterBytes,
    ...(backingFile === undefined ? {} : { backingFile, fullBackingFile: fullName(name, backingFile) }),
    ...(backingFormat === undefined ? {} : { backingFormat }),
    snapshots: listed.value.snapshots,
    specific: describeQcow2(image),
  });
}

/** Names with a scheme are no paths. */
function fullName(image: string, backing: string): string {
  return /^[a-z+]+:/.test(backing) ? backing : resolve(dirname(image), backing);
}

/** Keys are those of qemu-img's JSON. */
function jsonFacts(facts: ImageFacts): Record<string, unknown> {
  const { dirty, ...specific } = facts.specific ?? {};
  return {
    filename: facts.filename,
    format: facts.format,
    'virtual-size': facts.virtualBytes,
    ...(facts.actualBytes === undefined ? {} : { 'actual-size': facts.actualBytes }),
    ...(facts.clusterBytes === undefined ? {} : { 'cluster-size': facts.clusterBytes }),
    'dirty-flag': dirty === true,
    ...(facts.backingFile === undefined ? {} : { 'backing-filename': facts.backingFile }),
    ...(facts.fullBackingFile === undefined ? {} : { 'full-backing-filename': facts.fullBackingFile }),
    ...(facts.backingFormat === undefined ? {} : { 'backing-filename-format': facts.backingFormat }),
    ...(facts.snapshots.length === 0 ? {} : { snapshots: facts.snapshots.map(snapshotFacts) }),
    ...(facts.specific === undefined ? {} : { 'format-specific': { type: facts.format, data: specific } }),
  };
}

function describe(facts: ImageFacts): string {
  const lines: [string, string][] = [
    ['image', facts.filename],
    ['format', facts.format],
    ['disk', `${formatByteSize(facts.virtualBytes)} (${facts.virtualBytes} bytes)`],
  ];
  if (facts.actualBytes !== undefined) lines.push(['on this host', formatByteSize(facts.actualBytes)]);
  if (facts.clusterBytes !== undefined) lines.push(['clusters', formatByteSize(facts.clusterBytes)]);
  if (facts.backingFile !== undefined) {
    const format = facts.backingFormat === undefined ? 'its format is not recorded' : facts.backingFormat;
    lines.push(['backing file', `${shownName(facts.backingFile, qcow2Limit.maxBackingNameBytes)} (${format})`]);
  }
  for (const [name, value] of Object.entries(facts.specific ?? {})) {
    // Marks are worth a line where they are set.
    if (value !== false) lines.push([name, value === true ? 'yes' : String(value)]);
  }
  const width = Math.max(...lines.map(([name]) => name.length)) + 2;
  const table = lines.map(([name, value]) => `${`${name}:`.padEnd(width)}${value}\n`).join('');
  return facts.snapshots.length === 0 ? table : `${table}snapshots:\n${snapshotLines(facts.snapshots)}`;
}
