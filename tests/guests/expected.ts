/**
 * What a guest has to print. `name.expected` lies beside `name.asm`; its lines are the guest's output as the SDM
 * dictates it, except:
 *
 *     # text                          a comment
 *     #! status qemu=0 corbel=75      exit statuses other than 1 (which is a write of 0 to the debug-exit port)
 *     #! append TEXT                  the guest's command line; several: one run each
 *     #! slow-append TEXT             likewise, for Corbel in the slow lane: more rounds than fit elsewhere
 *     #! cpus N                       virtual processors; 1 if not said
 *     #! corbel-args ARGS             further arguments for Corbel
 *     #! says TEXT                    Corbel's own messages contain it; several: all of them
 *     #! survives                     any output and end will do, but for a failure of the monitor itself
 *     #! cpu MODEL                    QEMU's CPU model other than `max,vendor=GenuineIntel`
 *     #! qemu-args ARGS               further arguments for QEMU
 *     #! not-qemu SECTION | WHY       QEMU cannot run it (it would go astray where it is wrong); the manual's SECTION decides
 *     #! qemu-lacks NAME              QEMU may print the single line `absent: NAME` (no such feature in its CPU)
 *     #! qemu SECTION | TEXT          QEMU may print TEXT in place of the line above; the manual's SECTION decides against it
 *                                     (`*` in TEXT stands for any characters)
 *     #! slow                         belongs to the slow lane
 */
export interface Expected {
  readonly lines: readonly ExpectedLine[];
  readonly status: Readonly<Record<Machine, number>>;
  readonly appends: readonly string[];
  /** The command lines of the slow lane; a guest that belongs there has none of its own. */
  readonly slowAppends: readonly string[];
  readonly cpus: number;
  readonly cpu: string;
  readonly qemuArgs: readonly string[];
  readonly corbelArgs: readonly string[];
  readonly says: readonly string[];
  readonly survives: boolean;
  readonly qemuLacks: readonly string[];
  readonly notQemu: boolean;
  readonly slow: boolean;
}

export interface ExpectedLine {
  readonly text: string;
  /** What QEMU may print instead, where it is wrong. */
  readonly qemu?: string;
}

export type Machine = 'qemu' | 'corbel';

/** Every feature that QEMU has, and Intel's ways where vendors differ. */
const INTEL = 'max,vendor=GenuineIntel';
const DEBUG_EXIT_OF_ZERO = 1;

/** Reads an expected file. Throws on a directive it does not know: that is a mistake in the file. */
export function parseExpected(text: string): Expected {
  const lines: ExpectedLine[] = [];
  const status = { qemu: DEBUG_EXIT_OF_ZERO, corbel: DEBUG_EXIT_OF_ZERO };
  const qemuLacks: string[] = [];
  let qemuArgs: string[] = [];
  const appends: string[] = [];
  const slowAppends: string[] = [];
  let cpus = 1;
  let corbelArgs: string[] = [];
  const says: string[] = [];
  let survives = false;
  let cpu = INTEL;
  let slow = false;
  let notQemu = false;
  for (const line of text.replace(/\n$/, '').split('\n')) {
    if (!line.startsWith('#')) {
      lines.push({ text: line });
      continue;
    }
    if (!line.startsWith('#!')) continue;
    const [, key = '', value = ''] = /^#! (\S+) ?(.*)$/.exec(line) ?? [];
    if (key === 'status') {
      status.qemu = Number(/qemu=(\d+)/.exec(value)?.[1] ?? status.qemu);
      status.corbel = Number(/corbel=(\d+)/.exec(value)?.[1] ?? status.corbel);
    } else if (key === 'append') appends.push(value);
    else if (key === 'slow-append') slowAppends.push(value);
    else if (key === 'cpus') cpus = Number(value);
    else if (key === 'corbel-args') corbelArgs = value.split(' ');
    else if (key === 'says') says.push(value);
    else if (key === 'survives') survives = true;
    else if (key === 'cpu') cpu = value;
    else if (key === 'qemu-args') qemuArgs = value.split(' ');
    else if (key === 'qemu-lacks') qemuLacks.push(value);
    else if (key === 'slow') slow = true;
    else if (key === 'not-qemu') notQemu = true;
    else if (key === 'qemu') {
      const [, instead] = /^\S.* \| (.*)$/.exec(value) ?? [];
      const above = lines.pop();
      if (instead === undefined || above === undefined) throw new Error(`not "#! qemu SECTION | TEXT": ${line}`);
      lines.push({ ...above, qemu: instead });
    } else throw new Error(`unknown directive: ${line}`);
  }
  if (appends.length === 0) appends.push('');
  const options = { appends, slowAppends, cpus, cpu, qemuArgs, corbelArgs };
  return { ...options, lines, status, says, survives, qemuLacks, notQemu, slow };
}

/** @returns what is wrong with `printed`, as a diff (`-` expected, `+` printed), or undefined. */
export function compareOutput(machine: Machine, expected: Expected, printed: string): string | undefined {
  const surplus = 50; // lines more than expected that are worth showing
  const actual = printed
    .replace(/\r/g, '')
    .replace(/\n$/, '')
    .split('\n')
    .slice(0, expected.lines.length + surplus);
  if (machine === 'qemu' && actual.length === 1) {
    if (expected.qemuLacks.some((name) => actual[0] === `absent: ${name}`)) return undefined;
  }
  const matches = (want: ExpectedLine | undefined, got: string | undefined) =>
    want !== undefined && (want.text === got || (machine === 'qemu' && isAlternative(want.qemu, got)));
  const diff = differences(expected.lines, actual, matches);
  return diff.length === 0 ? undefined : diff.map((line) => `    ${line}`).join('\n');
}

function isAlternative(pattern: string | undefined, got: string | undefined): boolean {
  if (pattern === undefined || got === undefined) return false;
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(got);
}

type Matches = (want: ExpectedLine | undefined, got: string | undefined) => boolean;

/** The changed lines of a longest common subsequence. */
function differences(want: readonly ExpectedLine[], got: readonly string[], matches: Matches): string[] {
  const width = got.length + 1;
  const common = new Uint32Array((want.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = want.length - 1; i >= 0; i--) {
    for (let j = got.length - 1; j >= 0; j--) {
      const same = matches(want[i], got[j]);
      common[i * width + j] = same ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const out: string[] = [];
  let i = 0;
  let j = 0;
  while (i < want.length || j < got.length) {
    if (matches(want[i], got[j])) {
      i++;
      j++;
    } else if (j >= got.length || (i < want.length && at(i + 1, j) >= at(i, j + 1))) out.push(`- ${want[i++]?.text}`);
    else out.push(`+ ${got[j++]}`);
  }
  return out;
}
