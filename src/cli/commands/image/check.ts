import { formatByteSize } from '../../../block/byte-size.ts';
import { probedBytes, probeFormat } from '../../../block/formats.ts';
import { checkQcow2 } from '../../../block/qcow2/check/check.ts';
import type { CheckReport, Repair } from '../../../block/qcow2/check/check-state.ts';
import { fail, ok } from '../../../support/result.ts';
import { exitStatus } from '../../exit-status.ts';
import { ProgressBar } from '../../progress-bar.ts';
import { formatRow, type ImageCall, type ImageCommand, jsonRow, quietRow, type Status, usage } from './command.ts';

export const checkCommand: ImageCommand = {
  name: 'check',
  usage: '[options] FILE',
  help: `Looks for what a qcow2 image contradicts itself in. Nobody may use the image
meanwhile.

Exit status: 0 the image is in order, 2 it has errors, 3 it has leaks only, that
is, room that is lost and nothing else.`,
  rows: [
    {
      name: 'repair',
      short: 'r',
      value: 'WHAT',
      help: 'leaks: give lost room back; all: mend whatever can be\nmended, and drop pointers that cannot be right',
    },
    formatRow,
    jsonRow,
    quietRow,
  ],
  operands: [1, 1],
  run: check,
};

async function check(call: ImageCall): Promise<Status> {
  const [path = ''] = call.operands;
  const repair = call.value('repair') ?? 'none';
  if (repair !== 'none' && repair !== 'leaks' && repair !== 'all')
    return usage(`--repair takes leaks or all, not "${repair}".`);
  const file = await call.host.files.open(path, repair === 'none' ? 'read' : 'write');
  if (!file.ok) return file;
  const header = new Uint8Array(probedBytes);
  const read = await file.value.read(0, header);
  const format = call.value('format') ?? probeFormat(call.host.formats, header).name;
  const bar = new ProgressBar('checking', call.has('quiet') || call.has('json'));
  const checked = !read.ok
    ? read
    : format !== 'qcow2'
      ? fail('unsupported', `${path} is of format ${format}, in which there is nothing to check.`)
      : await checkQcow2(file.value, { repair: repair as Repair, onProgress: bar.show });
  bar.clear();
  const closed = await file.value.close();
  if (!checked.ok) return checked;
  if (!closed.ok) return closed;
  print(call, path, checked.value);
  const { errors, leaks } = checked.value;
  return ok(errors > 0 ? exitStatus.imageErrors : leaks > 0 ? exitStatus.imageLeaks : exitStatus.ok);
}

function print(call: ImageCall, path: string, report: CheckReport): void {
  if (call.has('json')) {
    call.print(`${JSON.stringify(facts(path, report), null, 2)}\n`);
    return;
  }
  if (call.has('quiet')) return;
  const { errors, leaks, repairedErrors, repairedLeaks } = report;
  for (const problem of report.problems) call.print(`${problem}\n`);
  const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
  const left = errors + leaks === 0 ? 'no errors' : `${count(errors, 'error')} and ${count(leaks, 'leak')}`;
  const repaired = repairedErrors + repairedLeaks;
  const mended =
    repaired === 0 ? '' : ` (${count(repairedErrors, 'error')} and ${count(repairedLeaks, 'leak')} repaired)`;
  call.print(`${path}: ${left}${mended}\n`);
  const { allocatedClusters, totalClusters, compressedClusters, endBytes } = report;
  const used = `${allocatedClusters} of ${totalClusters} clusters in use`;
  const packed = compressedClusters === 0 ? '' : `, ${compressedClusters} of them compressed`;
  call.print(`${used}${packed}; the image ends at ${formatByteSize(endBytes)}\n`);
}

/** Keys are those of qemu-img's JSON. */
function facts(path: string, report: CheckReport): Record<string, unknown> {
  return {
    filename: path,
    format: 'qcow2',
    'check-errors': 0,
    corruptions: report.errors,
    leaks: report.leaks,
    'corruptions-fixed': report.repairedErrors,
    'leaks-fixed': report.repairedLeaks,
    'total-clusters': report.totalClusters,
    'allocated-clusters': report.allocatedClusters,
    'compressed-clusters': report.compressedClusters,
    'fragmented-clusters': report.fragmentedClusters,
    'image-end-offset': report.endBytes,
    problems: report.problems,
  };
}
