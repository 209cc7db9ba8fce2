import { openImage } from '../../../block/open-image.ts';
import { adoptDifferences, nameBacking } from '../../../block/qcow2/layers.ts';
import { openQcow2 } from '../../../block/qcow2/qcow2-format.ts';
import { fail, ok, type Result } from '../../../support/result.ts';
import { ProgressBar } from '../../progress-bar.ts';
import {
  type CommandFailure,
  done,
  formatRow,
  type ImageCall,
  type ImageCommand,
  quietRow,
  type Status,
  usage,
  withDisk,
  withQcow2,
} from './command.ts';

export const rebaseCommand: ImageCommand = {
  name: 'rebase',
  usage: '[options] -b BACKING FILE',
  help: `Gives an image another backing file, or with -b "" none. What the disk reads as
stays the same: the image takes over wherever the two differ. With --unsafe only
the name is changed, as for a backing file that was moved.`,
  rows: [
    { name: 'backing', short: 'b', value: 'FILE', help: "the new backing file, as seen from the image's folder" },
    { name: 'backing-format', short: 'F', value: 'FORMAT', help: 'its format' },
    { name: 'unsafe', short: 'u', help: 'change the name only' },
    formatRow,
    quietRow,
  ],
  operands: [1, 1],
  run: rebase,
};

async function rebase(call: ImageCall): Promise<Status> {
  const [path = ''] = call.operands;
  const backing = call.value('backing');
  if (backing === undefined) return usage('the new backing file is missing: -b FILE, or -b "" for none.');
  const format = call.value('backing-format');
  if (backing !== '' && format === undefined) {
    return usage('say the format of the backing file with -F: guessing it would be unsafe.');
  }
  const [name, nameFormat] = backing === '' ? [undefined, undefined] : [backing, format];
  if (call.has('unsafe')) return renameOnly(call, path, name, nameFormat);
  return withQcow2(call, path, { readOnly: false, doing: 'have a backing file' }, async (disk) => {
    const bar = new ProgressBar('rebasing', call.has('quiet'));
    const adopted = await withBase(call, path, name, nameFormat, (base) => adoptDifferences(disk, base, bar.show));
    bar.clear();
    if (!adopted.ok) return adopted;
    const named = await nameBacking(disk, name, nameFormat);
    return named.ok ? done : named;
  });
}

async function withBase(
  call: ImageCall,
  path: string,
  name: string | undefined,
  format: string | undefined,
  use: (base: Parameters<typeof adoptDifferences>[1]) => Promise<Result<void, CommandFailure>>,
): Promise<Result<void, CommandFailure>> {
  if (name === undefined) return use(undefined);
  const opened = await openImage(call.host, name, { format, readOnly: true, relativeTo: path });
  return opened.ok ? withDisk(opened.value.disk, use) : opened;
}

/** The old backing file need not be there. */
async function renameOnly(
  call: ImageCall,
  path: string,
  name: string | undefined,
  format: string | undefined,
): Promise<Status> {
  const { files, codecs } = call.host;
  const file = await files.open(path, 'write');
  if (!file.ok) return file;
  const leaveOut = async () => ok(undefined);
  const disk = await openQcow2(file.value, { readOnly: false, files, codecs, openBacking: leaveOut });
  if (!disk.ok) {
    await file.value.close();
    return disk.error.kind === 'corrupt' ? fail('unsupported', `${path} is no qcow2 image that can be changed.`) : disk;
  }
  return withDisk(disk.value, async () => {
    const named = await nameBacking(disk.value, name, format);
    return named.ok ? done : named;
  });
}
