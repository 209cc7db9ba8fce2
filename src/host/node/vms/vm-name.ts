import { fail, ok, type Result } from '../../../support/result.ts';
import { randomInt } from '../random.ts';

/** A name is a folder's name, too; what begins with a dot is ours. */
const pattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

export function parseVmName(text: string): Result<string> {
  if (pattern.test(text)) return ok(text);
  const rule = 'a name has 1 to 63 letters, digits, "_", "." and "-", and begins with a letter or digit';
  return fail('usage', `${JSON.stringify(text.slice(0, 80))} cannot be a virtual machine's name: ${rule}.`);
}

const qualities = 'amber bold brisk calm clear deft early fair fleet glad keen kind lucid mild neat plain quick still';
const things =
  'alder birch brook cedar cliff delta fern field glade grove heron inlet maple otter plover reed ridge wren';

/** A name for who gave none. @param taken names that are in use */
export function generateVmName(taken: ReadonlySet<string>): string {
  const pick = (words: string): string => {
    const list = words.split(' ');
    return list[randomInt(list.length)] as string;
  };
  for (let digits = 0; ; digits = Math.min(digits + 1, 9)) {
    const suffix = digits === 0 ? '' : `-${randomInt(10 ** digits)}`;
    const name = `${pick(qualities)}-${pick(things)}${suffix}`;
    if (!taken.has(name)) return name;
  }
}
