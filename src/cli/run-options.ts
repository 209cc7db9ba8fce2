import { type DiskSpec, parseDiskSpec } from '../block/disk-spec.ts';
import type { NetworkOptions } from '../host/node/net/network.ts';
import type { SerialTarget } from '../host/node/run-guest.ts';
import type { Accelerator } from '../machine/config.ts';
import { fail, ok, type Result } from '../support/result.ts';
import { chooseGuest, type GuestKind } from './guest-choice.ts';
import { parseMemorySize, parseSize } from './memory-size.ts';
import { netHelp, parseNets } from './net-options.ts';
import { describeOptions, type OptionRow, parseOptions } from './options.ts';

export interface RunOptions {
  /** Whether the linux guest's parts stand in for a kernel and a userland that were not given. */
  readonly linux: boolean;
  readonly guest: GuestKind;
  readonly kernel: string | undefined;
  readonly initrd: string | undefined;
  readonly append: string;
  readonly modules: readonly string[];
  readonly memoryBytes: number;
  readonly disks: readonly DiskSpec[];
  /** The image that the disk guest starts in; undefined for the distribution's SeaBIOS. */
  readonly bios: string | undefined;
  /** Where the debian guest keeps what it writes; undefined: nowhere. */
  readonly overlay: string | undefined;
  /** Undefined: nothing was said of networks. */
  readonly networks: readonly NetworkOptions[] | undefined;
  readonly capturePath: string | undefined;
  readonly accel: Accelerator;
  readonly codeCacheBytes: number;
  readonly cpuModel: string;
  readonly serial: SerialTarget;
  readonly command: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly debugExit: boolean;
  readonly stats: boolean;
  readonly profile: boolean;
  readonly json: boolean;
}

const rows: readonly OptionRow[] = [
  {
    name: 'kernel',
    value: 'FILE',
    help: 'boot FILE: a Linux bzImage, an ELF with a PVH\nnote, or a multiboot 1 image',
  },
  { name: 'initrd', value: 'FILE', help: 'hand FILE to the kernel as its initial RAM disk' },
  { name: 'append', value: 'STR', help: "add STR to the kernel's command line" },
  {
    name: 'module',
    value: 'FILE',
    help: "hand FILE to a multiboot kernel; may be given\nseveral times, and as 'FILE ARGUMENTS'",
  },
  { name: 'memory', value: 'SIZE', help: "the guest's memory, like 512M or 2G\n(default 512M, at most 4G)" },
  {
    name: 'disk',
    value: 'FILE[,readonly]',
    help: 'a disk whose content is FILE (/dev/vda in Linux); may\nbe given several times',
  },
  { name: 'bios', value: 'FILE', help: "start in the firmware FILE (default for disks: the\ndistribution's SeaBIOS)" },
  {
    name: 'overlay',
    value: 'FILE',
    help: 'keep what the debian guest writes in FILE, which is\nmade the first time',
  },
  {
    name: 'net',
    value: 'NETWORK',
    help: 'what a network card is plugged into (see below; the\nlinux guest has user, other guests none)',
  },
  { name: 'pcap', value: 'FILE', help: 'record what passes the network cards, for tcpdump' },
  {
    name: 'accel',
    value: 'NAME',
    help: 'how guest code runs: auto, interpret, translate, or\nverify, which compares the two (default auto)',
  },
  {
    name: 'code-cache',
    value: 'SIZE',
    help: "what translated code may take of this host's\nmemory, about (default 256M)",
  },
  { name: 'cpu', value: 'MODEL', help: 'the processor the guest sees (default: the fullest)' },
  {
    name: 'serial',
    value: 'WHERE',
    help: 'the console: stdio, none or file:PATH (default stdio)',
  },
  {
    name: 'exec',
    value: 'CMD',
    help: "run CMD in the linux guest without a terminal:\nits output, errors and status become this\nprogram's; its input is the standard input,\nunless that is a terminal",
  },
  { name: 'timeout', value: 'SECONDS', help: 'end the run after that time, with status 124' },
  { name: 'debug-exit', help: 'a write of v to port 0xf4 ends the run with status\n(v << 1) | 1' },
  { name: 'stats', help: 'print what the machine counted, on standard error' },
  {
    name: 'profile',
    help: "print the guest's hottest code and what ran it,\non standard error",
  },
  { name: 'json', help: 'print those as JSON' },
  { name: 'help', help: 'print this' },
];

export const runHelp = `Usage: corbel run [linux | debian] [options]

Runs a virtual machine. With nothing else said, or with the word linux, it is
the linux guest: the distribution's own kernel with a busybox shell. Its
packages are fetched once, through this host's package configuration.

The debian guest is a whole Debian on a disk, whose image is built the first
time (see "corbel image build --help"). With --disk and no kernel, the guest is
what its first disk boots.

On a terminal, keys go to the guest and Ctrl-] leaves. Where standard input is
not a terminal, its lines go to the guest's shell, and at their end the guest
powers off.

${describeOptions(rows)}

${netHelp}

Exit status:
  0    the guest powered off, or the user left with Ctrl-]
  64   the command line is wrong
  65   a file is missing, unreadable or malformed
  70   a defect in corbel
  75   the guest died: a triple fault, or a reset as after a kernel's panic
  124  the time given with --timeout passed
  With --exec it is the command's own status.

Examples:
  corbel run
  corbel run --exec 'uname -a; cat /proc/cpuinfo'
  corbel run debian --overlay my-debian.qcow2
  corbel run --memory 1G linux --kernel vmlinuz-6.1.0-amd64
  corbel run --kernel bzImage --initrd initrd.img --append console=ttyS0
`;

const accelerators: readonly string[] = ['auto', 'interpret', 'translate', 'verify'];
const smallestCodeCache = 16 * 2 ** 20;
const longestTimeoutSeconds = 2_000_000;

/** @returns the options, or `help` when that was asked for */
export function parseRunOptions(args: readonly string[]): Result<RunOptions | 'help'> {
  const parsed = parseOptions(rows, args, 'corbel run');
  if (!parsed.ok) return parsed;
  const { values, operands } = parsed.value;
  const last = (name: string): string | undefined => values.get(name)?.at(-1);
  if (values.has('help')) return ok('help');
  const guest = chooseGuest(operands, values);
  if (!guest.ok) return guest;
  const memory = parseMemorySize(last('memory') ?? (guest.value === 'debian' ? '1G' : '512M'));
  if (!memory.ok) return memory;
  const codeCache = parseCodeCache(last('code-cache') ?? '256M');
  if (!codeCache.ok) return codeCache;
  const serial = parseSerial(last('serial') ?? 'stdio');
  if (!serial.ok) return serial;
  const timeoutMs = parseTimeout(last('timeout'));
  if (!timeoutMs.ok) return timeoutMs;
  const disks = parseDisks(values.get('disk') ?? []);
  if (!disks.ok) return disks;
  const networks = parseNets(values.get('net'));
  if (!networks.ok) return networks;
  const accel = last('accel') ?? 'auto';
  if (!accelerators.includes(accel)) {
    return fail('usage', `--accel takes auto, interpret, translate or verify, not "${accel}".`);
  }
  const command = last('exec');
  if (command !== undefined && values.has('initrd')) {
    return fail('usage', "--exec runs a command in the linux guest's own userland; leave --initrd out.");
  }
  if (command?.includes('\0') === true) return fail('usage', '--exec takes a command without NUL bytes.');
  return ok({
    linux: guest.value === 'linux',
    guest: guest.value,
    kernel: last('kernel'),
    initrd: last('initrd'),
    append: (values.get('append') ?? []).join(' '),
    modules: values.get('module') ?? [],
    memoryBytes: memory.value,
    disks: disks.value,
    bios: last('bios'),
    overlay: last('overlay'),
    networks: networks.value,
    capturePath: last('pcap'),
    accel: accel as Accelerator,
    codeCacheBytes: codeCache.value,
    cpuModel: last('cpu') ?? 'max',
    serial: serial.value,
    command,
    timeoutMs: timeoutMs.value,
    debugExit: values.has('debug-exit'),
    stats: values.has('stats'),
    profile: values.has('profile'),
    json: values.has('json'),
  });
}

function parseSerial(text: string): Result<SerialTarget> {
  if (text === 'stdio' || text === 'none') return ok({ kind: text });
  const path = /^file:(.+)$/s.exec(text)?.[1];
  if (path !== undefined) return ok({ kind: 'file', path });
  return fail('usage', `--serial takes stdio, none or file:PATH, not "${text}".`);
}

const maxDisks = 16;

function parseDisks(texts: readonly string[]): Result<DiskSpec[]> {
  if (texts.length > maxDisks) return fail('usage', `--disk may be given ${maxDisks} times at most.`);
  const disks: DiskSpec[] = [];
  for (const text of texts) {
    const spec = parseDiskSpec(text);
    if (!spec.ok) return spec;
    disks.push(spec.value);
  }
  return ok(disks);
}

function parseCodeCache(text: string): Result<number> {
  const size = parseSize('code-cache', text);
  if (!size.ok || size.value >= smallestCodeCache) return size;
  return fail('usage', `--code-cache ${text} is too little; hot code alone takes 16M.`);
}

function parseTimeout(text: string | undefined): Result<number | undefined> {
  if (text === undefined) return ok(undefined);
  const seconds = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : 0;
  if (seconds > 0 && seconds <= longestTimeoutSeconds) return ok(seconds * 1000);
  return fail('usage', `--timeout takes a number of seconds from above 0 to ${longestTimeoutSeconds}, not "${text}".`);
}
