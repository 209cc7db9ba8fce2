import { openImage } from '../../../block/open-image.ts';
import { dropContent, mergeDown } from '../../../block/qcow2/layers.ts';
import { openQcow2 } from '../../../block/qcow2/qcow2-format.ts';
import { fail, ok } from '../../../support/result.ts';
import { ProgressBar } from '../../progress-bar.ts';
import { done, formatRow, type ImageCall, type ImageCommand, quietRow, type Status, withDisk } from './command.ts';

export const commitCommand: ImageCommand = {
  name: 'commit',
  usage: '[options] FILE',
  help: `Writes what an image has of its own into its backing file, and empties the
image. Other images over the same backing file become worthless.`,
  rows: [{ name: 'keep', short: 'd', help: 'do not empty the image' }, formatRow, quietRow],
  operands: [1, 1],
  run: commit,
};

async function commit(call: ImageCall): Promise<Status> {
  const [path = ''] = call.operands;
  const { files, codecs } = call.host;
  const format = call.value('format');
  if (format !== undefined && format !== 'qcow2') return fail('unsupported', 'only qcow2 images have a backing file.');
  const file = await files.open(path, 'write');
  if (!file.ok) return file;
  // The one below is opened apart, for writing.
  const leaveOut = async () => ok(undefined);
  const top = await openQcow2(file.value, { readOnly: false, files, codecs, openBacking: leaveOut });
  if (!top.ok) {
    await file.value.close();
    return top;
  }
  return withDisk(top.value, async (disk) => {
    const { backingFile, backingFormat } = disk.image.header;
    if (backingFile === undefined) return fail('unsupported', `${path} has no backing file.`);
    const base = await openImage(call.host, backingFile, { format: backingFormat, readOnly: false, relativeTo: path });
    if (!base.ok) return base;
    const bar = new ProgressBar('committing', call.has('quiet'));
    const merged = await withDisk(base.value.disk, (below) => mergeDown(disk, below, bar.show));
    bar.clear();
    if (!merged.ok || call.has('keep')) return merged.ok ? done : merged;
    const dropped = await dropContent(disk);
    return dropped.ok ? done : dropped;
  });
}
