/** Which packages an image holds. */

/** The suites that images are made of, with their version numbers. */
export const suites: Readonly<Record<string, string>> = { bookworm: '12', trixie: '13' };

/**
 * Unpacked first, by hand, and then configured by each other. usr-is-merged is what keeps usrmerge, and the whole of
 * Perl with it, out of an image that is merged from the start.
 */
export const essentialRequests: readonly string[] = ['?essential', 'usr-is-merged', 'apt'];

/** Of priority important, but another way to what systemd-networkd does here, or of use in Debian's installer alone. */
const unwanted = ['ifupdown', 'isc-dhcp-client', 'isc-dhcp-common', 'tasksel', 'tasksel-data'];

/**
 * A system as debootstrap makes one, with a kernel, a boot loader, network, name resolution, time, and SSH. The kernel is
 * the one for any machine: the one for clouds boots no faster and cannot mount folders by 9P.
 */
export const wantedPackages: readonly string[] = [
  'ca-certificates',
  'dbus',
  'grub-pc-bin',
  'grub2-common',
  'libpam-systemd',
  'linux-image-amd64',
  'openssh-server',
  'systemd-resolved',
  'systemd-timesyncd',
  'zstd',
];

export function systemRequests(more: readonly string[]): string[] {
  const important = `?and(?priority(important),?not(?name("^(${unwanted.join('|')})$")))`;
  return [...essentialRequests, '?priority(required)', important, ...wantedPackages, ...more];
}
