/** The command line of `corbel image build`. */
import { suites } from '../host/node/debian/package-sets.ts';
import { fail, ok, type Result } from '../support/result.ts';
import { parseSize } from './memory-size.ts';
import { describeOptions, type OptionRow, parseOptions } from './options.ts';

export interface ImageBuildOptions {
  readonly output: string;
  readonly sizeBytes: number;
  readonly suite: string;
  readonly mirror: string | undefined;
  readonly packages: readonly string[];
  readonly hostname: string;
  readonly password: string | undefined;
  /** The file with root's keys. */
  readonly sshKey: string | undefined;
  readonly json: boolean;
}

/** What is built when nothing is said. */
export const defaultImage = {
  sizeBytes: 8 * 2 ** 30,
  suite: 'bookworm',
  mirror: undefined,
  packages: [],
  hostname: 'debian',
  password: undefined,
} as const;

const rows: readonly OptionRow[] = [
  { name: 'output', value: 'FILE', help: 'where the image goes (default debian.qcow2)' },
  { name: 'size', value: 'SIZE', help: 'of the disk (default 8G); only what is used takes room' },
  { name: 'suite', value: 'NAME', help: `${Object.keys(suites).join(' or ')} (default ${defaultImage.suite})` },
  { name: 'mirror', value: 'URL', help: "where the packages come from (default: this\nhost's package sources)" },
  { name: 'package', value: 'NAME', help: 'install NAME too; may be given several times' },
  { name: 'hostname', value: 'NAME', help: `the machine's name (default ${defaultImage.hostname})` },
  {
    name: 'password',
    value: 'TEXT',
    help: "root's password, for the console and SSH; without it\nthe console asks for none, and SSH takes none",
  },
  { name: 'ssh-key', value: 'FILE', help: 'the public keys in FILE let root in by SSH' },
  { name: 'json', help: 'print what was made as JSON' },
  { name: 'help', help: 'print this' },
];

export const imageBuildHelp = `Usage: corbel image build debian [options]

Makes a disk image (qcow2) of Debian ${suites[defaultImage.suite]}: systemd, network by DHCP, SSH, a login on
the serial line, the distribution's own kernel. It boots in any virtual machine
with a BIOS; its kernel and initial RAM disk also lie beside it. The packages
come through this host's package configuration. Root is not needed, but then
user namespaces are, with the package uidmap.

${describeOptions(rows)}

Examples:
  corbel image build debian --ssh-key ~/.ssh/id_ed25519.pub
  corbel image build debian --output web.qcow2 --package nginx --hostname web
`;

/** What the smallest of these systems fits in, and what a boot record can name. */
const sizeRange = { least: 2 * 2 ** 30, most: 2 * 2 ** 40 } as const;
const mebibyte = 2 ** 20;

/** @returns the options, or `help` when that was asked for */
export function parseImageBuildOptions(args: readonly string[]): Result<ImageBuildOptions | 'help'> {
  const parsed = parseOptions(rows, args, 'corbel image build');
  if (!parsed.ok) return parsed;
  const { values, operands } = parsed.value;
  const last = (name: string): string | undefined => values.get(name)?.at(-1);
  if (values.has('help')) return ok('help');
  if (operands.length !== 1 || operands[0] !== 'debian') {
    const what = operands.length === 0 ? 'needs to know of what: ' : `makes no image of "${operands.join(' ')}", only `;
    return fail('usage', `"corbel image build" ${what}corbel image build debian.`);
  }
  const sizeText = last('size');
  const size = sizeText === undefined ? ok(defaultImage.sizeBytes) : parseDiskSize(sizeText);
  if (!size.ok) return size;
  const suite = last('suite') ?? defaultImage.suite;
  if (!Object.hasOwn(suites, suite)) {
    return fail('usage', `--suite takes ${Object.keys(suites).join(' or ')}, not "${suite}".`);
  }
  const mirror = last('mirror');
  if (mirror !== undefined && !isMirror(mirror)) {
    return fail('usage', `--mirror takes the address of an archive (http, https or file), not "${mirror}".`);
  }
  const packages = values.get('package') ?? [];
  const wrongPackage = packages.find((name) => !/^[a-z0-9][a-z0-9+.-]+$/.test(name));
  if (wrongPackage !== undefined) return fail('usage', `there can be no package "${wrongPackage}".`);
  const hostname = last('hostname') ?? defaultImage.hostname;
  if (!isHostname(hostname)) {
    return fail('usage', `--hostname takes letters, digits and hyphens between dots, not "${hostname}".`);
  }
  const password = last('password');
  if (password !== undefined && !/^[^\0\r\n]{1,512}$/.test(password)) {
    return fail('usage', '--password takes 1 to 512 characters on one line.');
  }
  return ok({
    output: last('output') ?? 'debian.qcow2',
    sizeBytes: size.value,
    suite,
    mirror,
    packages,
    hostname,
    password,
    sshKey: last('ssh-key'),
    json: values.has('json'),
  });
}

function parseDiskSize(text: string): Result<number> {
  const size = parseSize('size', text);
  if (!size.ok) return size;
  if (size.value < sizeRange.least || size.value > sizeRange.most) {
    return fail('usage', `--size ${text} does not fit: the disk can have from 2G to 2T.`);
  }
  if (size.value % mebibyte !== 0) return fail('usage', `--size ${text} is not a multiple of 1M.`);
  return size;
}

/** It ends up in a line of apt's sources, which spaces and brackets would change. */
function isMirror(text: string): boolean {
  return /^(https?:\/\/[^\s/[\]]|file:\/)[^\s[\]]*$/.test(text);
}

/** RFC 1123 2.1, and the 64 characters that Linux has room for. */
function isHostname(text: string): boolean {
  return (
    text.length <= 64 && /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(text)
  );
}
