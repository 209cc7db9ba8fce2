/** The files that an image has beyond its packages. */
import { agentFiles, agentUnit } from '../agent/agent-files.ts';
import { type ArchiveSource, formatSources, withoutCredentials } from './archive-sources.ts';

export interface GuestFile {
  /** From the root, without a leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly text: string;
}

export interface GuestIdentity {
  readonly hostname: string;
  readonly rootUuid: string;
  readonly sources: readonly ArchiveSource[];
  /** Whether root may log in by SSH with the password. */
  readonly passwordLogin: boolean;
}

/** What the kernel is told at every boot, beside where its root is. The last console is the one of init. */
const consoles = 'console=tty0 console=ttyS0,115200';

export function kernelCommandLine(rootUuid: string): string {
  return `root=UUID=${rootUuid} ro ${consoles}`;
}

const network = `# Every Ethernet interface, by DHCP.
[Match]
Type=ether

[Network]
DHCP=yes
LLMNR=no
MulticastDNS=no

[DHCPv4]
ClientIdentifier=mac

[Link]
RequiredForOnline=no
`;

/** RSA keys are left out: an emulated processor takes long to find the primes, and no client of today needs them. */
const hostKeysUnit = `[Unit]
Description=SSH host keys of this machine
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ecdsa -N "" -f /etc/ssh/ssh_host_ecdsa_key
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key

[Install]
WantedBy=multi-user.target
`;

const sshSettings = `HostKey /etc/ssh/ssh_host_ed25519_key
HostKey /etc/ssh/ssh_host_ecdsa_key
`;

const growRootUnit = `[Unit]
Description=Grow the root partition and its file system to the end of the disk
DefaultDependencies=no
After=systemd-remount-fs.service
Before=local-fs.target
ConditionPathIsReadWrite=/

[Service]
Type=oneshot
ExecStart=/usr/lib/corbel/grow-root

[Install]
WantedBy=local-fs.target
`;

/** The units that x-systemd.growfs makes have other names in each release, and would run before the partition has grown. */
const growRoot = `#!/bin/sh
# Lets the root partition, the last of its disk, and its file system reach the end of a disk that was made larger.
set -eu
partition=$(basename "$(readlink -f "$(findmnt -n -o SOURCE /)")")
if [ -e "/sys/class/block/$partition/partition" ]; then
  disk=$(basename "$(readlink -f "/sys/class/block/$partition/..")")
  number=$(cat "/sys/class/block/$partition/partition")
  end=$(($(cat "/sys/class/block/$partition/start") + $(cat "/sys/class/block/$partition/size")))
  size=$(cat "/sys/class/block/$disk/size")
  # Less than a mebibyte is what partitioning leaves.
  if [ $((size - end)) -ge 2048 ]; then
    echo ', +' | sfdisk --quiet --no-reread --no-tell-kernel --force -N "$number" "/dev/$disk"
    partx --update --nr "$number" "/dev/$disk"
  fi
fi
exec /usr/lib/systemd/systemd-growfs /
`;

/** An emulated processor on a busy host is slow, but nothing is wrong with it. */
const patience = `[Manager]
DefaultTimeoutStartSec=15min
DefaultTimeoutStopSec=5min
DefaultDeviceTimeoutSec=15min
`;

/** Only what disks of virtual machines need: the fewer drivers, the sooner an emulated processor has unpacked them. */
const initramfsHook = `#!/bin/sh
set -e
[ "$1" != prereqs ] || exit 0
. /usr/share/initramfs-tools/hook-functions
manual_add_modules virtio_pci virtio_mmio virtio_blk virtio_scsi virtio_net virtio_console \\
  ahci ata_piix nvme mptsas mptspi vmw_pvscsi hv_storvsc xen_blkfront sd_mod \\
  ext4 crc32c_generic crc32c_intel
`;

/** systemd-networkd asks for radios, and the kernel would load all that belongs to them to say that there is none. */
const modules = `alias net-pf-16-proto-16-family-nl80211 off
blacklist pcspkr
`;

const grubDefaults = `# "update-grub" makes /boot/grub/grub.cfg of this.
GRUB_DEFAULT=0
GRUB_TIMEOUT=1
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="${consoles}"
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
`;

/** The first menu; update-grub replaces it when a kernel is installed. */
function grubMenu(rootUuid: string): string {
  return `serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=1
menuentry 'Debian GNU/Linux' {
  search --no-floppy --fs-uuid --set=root ${rootUuid}
  linux /vmlinuz ${kernelCommandLine(rootUuid)}
  initrd /initrd.img
}
`;
}

/** What GRUB's core looks for before it has a menu. */
export function grubSearch(rootUuid: string): string {
  return `search --no-floppy --fs-uuid --set=root ${rootUuid}\nset prefix=($root)/boot/grub\n`;
}

/** Services that `guestFiles` brings and that are to run. */
export const guestServices: readonly string[] = [
  'systemd-networkd.service',
  'systemd-resolved.service',
  'ssh-host-keys.service',
  'grow-root.service',
  agentUnit,
];

/** What is for disks of the Logical Volume Manager alone. */
export const idleServices: readonly string[] = ['e2scrub_reap.service', 'e2scrub_all.timer'];

export function guestFiles({ hostname, rootUuid, sources, passwordLogin }: GuestIdentity): GuestFile[] {
  const text = (path: string, content: string): GuestFile => ({ path, mode: 0o644, text: content });
  const script = (path: string, content: string): GuestFile => ({ path, mode: 0o755, text: content });
  return [
    text('etc/hostname', `${hostname}\n`),
    text('etc/hosts', `127.0.0.1 localhost\n127.0.1.1 ${hostname}\n::1 localhost ip6-localhost ip6-loopback\n`),
    text('etc/fstab', `UUID=${rootUuid} / ext4 errors=remount-ro 0 1\n`),
    // Empty: the first boot makes one.
    { path: 'etc/machine-id', mode: 0o444, text: '' },
    text('etc/default/locale', 'LANG=C.UTF-8\n'),
    text('etc/apt/sources.list', formatSources(withoutCredentials(sources))),
    text('etc/systemd/system.conf.d/patience.conf', patience),
    text('etc/systemd/network/80-ethernet.network', network),
    text('etc/systemd/system/ssh-host-keys.service', hostKeysUnit),
    text('etc/ssh/sshd_config.d/host-keys.conf', sshSettings),
    ...(passwordLogin ? [text('etc/ssh/sshd_config.d/root-login.conf', 'PermitRootLogin yes\n')] : []),
    text('etc/systemd/system/grow-root.service', growRootUnit),
    script('usr/lib/corbel/grow-root', growRoot),
    text('etc/initramfs-tools/conf.d/virtual-machine', 'MODULES=list\nRESUME=none\n'),
    script('etc/initramfs-tools/hooks/virtual-machine', initramfsHook),
    text('etc/modprobe.d/virtual-machine.conf', modules),
    text('etc/default/grub', grubDefaults),
    text('boot/grub/grub.cfg', grubMenu(rootUuid)),
    ...agentFiles(),
  ];
}
