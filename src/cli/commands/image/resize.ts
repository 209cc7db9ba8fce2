import { formatByteSize, parseByteSize } from '../../../block/byte-size.ts';
import { fail } from '../../../support/result.ts';
import {
  done,
  formatRow,
  type ImageCall,
  type ImageCommand,
  quietRow,
  type Status,
  usage,
  withImage,
} from './command.ts';

export const resizeCommand: ImageCommand = {
  name: 'resize',
  usage: '[options] FILE [+|-]SIZE',
  help: `Makes the disk of an image SIZE large, or larger or smaller by it. What is in a
part that is cut off is lost; partitions and file systems are not adapted.`,
  rows: [formatRow, { name: 'shrink', help: 'allow to make the disk smaller' }, quietRow],
  operands: [2, 2],
  run: resize,
};

async function resize(call: ImageCall): Promise<Status> {
  const [path = '', text = ''] = call.operands;
  const [, sign, digits = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  const amount = parseByteSize(digits);
  if (amount === undefined) return usage(`a size is a number like 20G, +5G or -5G, not "${text}".`);
  return withImage(call, path, { format: call.value('format'), readOnly: false }, async ({ disk }) => {
    const wanted = sign === '+' ? disk.sizeBytes + amount : sign === '-' ? disk.sizeBytes - amount : amount;
    if (wanted < 0) return fail('range', `the disk of ${path} has only ${disk.sizeBytes} bytes.`);
    if (wanted < disk.sizeBytes && !call.has('shrink')) {
      const sizes = `from ${formatByteSize(disk.sizeBytes)} to ${formatByteSize(wanted)}`;
      return fail('range', `that would cut off the end of the disk (${sizes}); say --shrink if it is meant so.`);
    }
    const resized = await disk.resize(wanted);
    if (!resized.ok) return resized;
    if (!call.has('quiet')) process.stdout.write(`${path}: ${formatByteSize(disk.sizeBytes)}\n`);
    return done;
  });
}
