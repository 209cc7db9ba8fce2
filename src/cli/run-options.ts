import { availableParallelism } from 'node:os';
import { type DiskSpec, parseDiskSpec } from '../block/disk-spec.ts';
import type { ShareOptions } from '../host/node/fair-use/fair-use.ts';
import type { NetworkOptions } from '../host/node/net/network.ts';
import type { PortSpec } from '../host/node/port-socket.ts';
import type { SerialTarget } from '../host/node/run-guest.ts';
import type { ShareSpec } from '../host/node/shared-folder/shares.ts';
import { parseVmName } from '../host/node/vms/vm-name.ts';
import type { VsockSpec } from '../host/node/vsock/vsock-sockets.ts';
import type { Accelerator, MachineConfig } from '../machine/config.ts';
import { fail, ok, type Result } from '../support/result.ts';
import { parseCpus } from './cpu-options.ts';
import { chooseGuest, type GuestKind } from './guest-choice.ts';
import { parseBalloonSize, parseMemorySize, parseSize } from './memory-size.ts';
import { netHelp, parseNets } from './net-options.ts';
import { describeOptions, type OptionRow, parseOptions } from './options.ts';
import { parseProcessorShare } from './processor-share-options.ts';
import { parseShares, parseVsock } from './share-options.ts';

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
  readonly shares: readonly ShareSpec[];
  readonly vsock: VsockSpec | undefined;
  /** How much of its memory the guest is to give back; undefined: it has no balloon. */
  readonly balloonBytes: number | undefined;
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
  readonly topology: NonNullable<MachineConfig['topology']>;
  readonly processorShare: ShareOptions;
  readonly serial: SerialTarget;
  /** Where hvc0 leads; undefined: there is none. */
  readonly virtioConsole: SerialTarget | undefined;
  readonly ports: readonly PortSpec[];
  readonly command: string | undefined;
  /** How long a guest may take until its agent can run the command. */
  readonly agentPatienceMs: number;
  readonly name: string | undefined;
  readonly detach: boolean;
  readonly timeoutMs: number | undefined;
  readonly debugExit: boolean;
  readonly stats: boolean;
  readonly profile: boolean;
  readonly countsTlbHits: boolean;
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
    name: 'balloon',
    value: 'SIZE',
    help: 'ask the guest to get along with SIZE, and give this\nhost what it has free ("corbel balloon" changes it)',
  },
  {
    name: 'disk',
    value: 'FILE[,…]',
    help: 'a disk whose content is the image FILE (/dev/vda in\nLinux), with format=NAME, readonly, snapshot (writes\nare thrown away), iops=N or bps=SIZE after it; may be\ngiven several times',
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
    name: 'share',
    value: 'DIR:TAG[,ro]',
    help:
      'a folder of this host that the guest can mount by TAG\n' +
      '(,ro: without changing it; ,owner=root: as if root\n' +
      'owned all in it); may be given several times',
  },
  {
    name: 'vsock',
    value: 'PATH',
    help:
      'vsock: to reach a port of the guest, connect to the\n' +
      'socket PATH and write "CONNECT PORT"; a guest reaches\n' +
      'PATH_PORT as that port of CID 2 (,cid=N: its own CID)',
  },
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
    name: 'cpus',
    value: 'N[,...]',
    help: 'the number of its processors, up to 16, and how they\nshare sockets=, cores= and threads= (default 1)',
  },
  {
    name: 'cpu-shares',
    value: 'N',
    help: 'its weight where virtual machines want more than\nthis host has, 2 to 262144 (default 1024)',
  },
  {
    name: 'cpu-limit',
    value: 'CORES',
    help: "how much of this host's processors it may use, like\n50% of a core, 150% or 1.5",
  },
  {
    name: 'cpu-reserve',
    value: 'CORES',
    help: 'how much other virtual machines leave it if it wants\nthat much, in the same terms',
  },
  {
    name: 'serial',
    value: 'WHERE',
    help: 'the console: stdio, none or file:PATH (default stdio)',
  },
  {
    name: 'virtio-console',
    value: 'WHERE',
    help: 'a second console, hvc0, to stdio or file:PATH; stdio\ntakes the place of --serial stdio',
  },
  {
    name: 'port',
    value: 'NAME=SOCKET',
    help: 'a byte stream between programs in the guest, who\nfind it as virtio port NAME, and the Unix socket\nSOCKET of this host; may be given several times',
  },
  {
    name: 'exec',
    value: 'CMD',
    help: "run CMD in the linux or debian guest without a\nterminal: its output, errors and status become this\nprogram's; its input is the standard input, unless\nthat is a terminal",
  },
  {
    name: 'exec-timeout',
    value: 'SECONDS',
    help: 'how long the debian guest may take until its agent\nanswers (default 300)',
  },
  {
    name: 'name',
    value: 'NAME',
    help: 'what "corbel ps" and others call it; one that has\nended starts again with its disks as they were',
  },
  {
    name: 'detach',
    help: 'leave it running without this terminal, and print\nits name; "corbel console" attaches to it',
  },
  { name: 'timeout', value: 'SECONDS', help: 'end the run after that time, with status 124' },
  { name: 'debug-exit', help: 'a write of v to port 0xf4 ends the run with status\n(v << 1) | 1' },
  { name: 'stats', help: 'print what the machine counted, on standard error' },
  { name: 'count-tlb-hits', help: 'count what the TLB answers, too, for --stats; makes\nthe guest slower' },
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
  65   a file is missing, unreadable or malformed, or no agent answers
  70   a defect in corbel
  75   the guest died: a triple fault, or a reset as after a kernel's panic
  124  the time given with --timeout passed
  With --exec it is the command's own status.

Examples:
  corbel run
  corbel run --exec 'uname -a; cat /proc/cpuinfo'
  corbel run debian --overlay my-debian.qcow2
  corbel run debian --exec 'dpkg -l'
  corbel run --memory 1G linux --kernel vmlinuz-6.1.0-amd64
  corbel run --detach --name web
  corbel run --share .:here   (in it: mount -t 9p -o
      trans=virtio,version=9p2000.L,msize=512000 here /mnt)
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
  const topology = parseCpus(last('cpus') ?? '1');
  if (!topology.ok) return topology;
  const processorShare = parseProcessorShare(last, availableParallelism());
  if (!processorShare.ok) return processorShare;
  const balloonBytes = parseBalloon(last('balloon'), memory.value);
  if (!balloonBytes.ok) return balloonBytes;
  const codeCache = parseCodeCache(last('code-cache') ?? '256M');
  if (!codeCache.ok) return codeCache;
  const virtioConsole = parseConsole('virtio-console', last('virtio-console') ?? 'none');
  if (!virtioConsole.ok) return virtioConsole;
  const onHvc = virtioConsole.value.kind === 'stdio';
  const serial = parseConsole('serial', last('serial') ?? (onHvc ? 'none' : 'stdio'));
  if (!serial.ok) return serial;
  if (onHvc && serial.value.kind === 'stdio')
    return fail('usage', 'one of --serial and --virtio-console can be stdio.');
  const ports = parsePorts(values.get('port') ?? []);
  if (!ports.ok) return ports;
  const timeoutMs = parseTimeout('timeout', last('timeout'));
  if (!timeoutMs.ok) return timeoutMs;
  const agentPatience = parseTimeout('exec-timeout', last('exec-timeout') ?? '300');
  if (!agentPatience.ok) return agentPatience;
  const disks = parseDisks(values.get('disk') ?? []);
  if (!disks.ok) return disks;
  const networks = parseNets(values.get('net'));
  if (!networks.ok) return networks;
  const shares = parseShares(values.get('share') ?? []);
  if (!shares.ok) return shares;
  const vsock = parseVsock(last('vsock'));
  if (!vsock.ok) return vsock;
  const accel = last('accel') ?? 'auto';
  if (!accelerators.includes(accel)) {
    return fail('usage', `--accel takes auto, interpret, translate or verify, not "${accel}".`);
  }
  const command = last('exec');
  if (command !== undefined && values.has('initrd')) {
    return fail('usage', "--exec runs a command in the linux guest's own userland; leave --initrd out.");
  }
  const name = last('name');
  const validName = name === undefined ? ok(undefined) : parseVmName(name);
  if (!validName.ok) return validName;
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
    shares: shares.value,
    vsock: vsock.value,
    balloonBytes: balloonBytes.value,
    bios: last('bios'),
    overlay: last('overlay'),
    networks: networks.value,
    capturePath: last('pcap'),
    accel: accel as Accelerator,
    codeCacheBytes: codeCache.value,
    cpuModel: last('cpu') ?? 'max',
    topology: topology.value,
    processorShare: processorShare.value,
    serial: serial.value,
    virtioConsole: values.has('virtio-console') ? virtioConsole.value : undefined,
    ports: ports.value,
    command,
    agentPatienceMs: agentPatience.value,
    name,
    detach: values.has('detach'),
    timeoutMs: timeoutMs.value,
    debugExit: values.has('debug-exit'),
    stats: values.has('stats'),
    profile: values.has('profile'),
    countsTlbHits: values.has('count-tlb-hits'),
    json: values.has('json'),
  });
}

function parseConsole(option: string, text: string): Result<SerialTarget> {
  if (text === 'stdio' || text === 'none') return ok({ kind: text });
  const path = /^file:(.+)$/s.exec(text)?.[1];
  if (path !== undefined) return ok({ kind: 'file', path });
  return fail('usage', `--${option} takes stdio, none or file:PATH, not "${text}".`);
}

/** A virtio console has 31 ports, and one of them may be hvc0. */
const maxPorts = 30;

function parsePorts(texts: readonly string[]): Result<PortSpec[]> {
  if (texts.length > maxPorts) return fail('usage', `--port may be given ${maxPorts} times at most.`);
  const ports: PortSpec[] = [];
  for (const text of texts) {
    const [, name = '', path = ''] = /^([A-Za-z0-9._-]{1,64})=(.+)$/s.exec(text) ?? [];
    if (name === '')
      return fail(
        'usage',
        `--port takes NAME=SOCKET with letters, digits, ".", "_" and "-" in the name, not "${text}".`,
      );
    if (ports.some((port) => port.name === name)) return fail('usage', `there are two ports with the name ${name}.`);
    ports.push({ name, path });
  }
  return ok(ports);
}

function parseBalloon(text: string | undefined, memoryBytes: number): Result<number | undefined> {
  if (text === undefined) return ok(undefined);
  const size = parseBalloonSize('--balloon', text);
  if (!size.ok) return size;
  if (size.value <= memoryBytes) return ok(memoryBytes - size.value);
  return fail('usage', `--balloon ${text} is more than the guest's memory.`);
}

const maxDisks = 16;

function parseDisks(texts: readonly string[]): Result<DiskSpec[]> {
  if (texts.length > maxDisks) return fail('usage', `--disk may be given ${maxDisks} times at most.`);
  const disks: DiskSpec[] = [];
  for (const text of texts) {
    const disk = parseDiskSpec(text);
    if (!disk.ok) return disk;
    disks.push(disk.value);
  }
  return ok(disks);
}

function parseCodeCache(text: string): Result<number> {
  const size = parseSize('code-cache', text);
  if (!size.ok || size.value >= smallestCodeCache) return size;
  return fail('usage', `--code-cache ${text} is too little; hot code alone takes 16M.`);
}

function parseTimeout<T extends string | undefined>(
  option: string,
  text: T,
): Result<T extends string ? number : number | undefined>;
function parseTimeout(option: string, text: string | undefined): Result<number | undefined> {
  if (text === undefined) return ok(undefined);
  const seconds = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : 0;
  if (seconds > 0 && seconds <= longestTimeoutSeconds) return ok(seconds * 1000);
  return fail(
    'usage',
    `--${option} takes a number of seconds from above 0 to ${longestTimeoutSeconds}, not "${text}".`,
  );
}
