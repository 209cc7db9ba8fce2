/**
 * The shell scripts that make a root file system out of package files. Both report on descriptor 3, in lines that
 * `build-progress.ts` reads. Nothing of the host comes in but the tools that run before there is a system of its own.
 */

/**
 * In a room of its own (see build-room.ts), as its root: unpacks the essential packages, lets the new system configure
 * itself, and makes a file system of it.
 * Arguments: the working folder, the folder of packages, bytes of memory to build in (0: on the disk), the file system's
 * UUID, where it begins in disk.raw, its size in KiB.
 */
export const buildScript = `set -eu
work=$1 packages=$2 memory=$3 uuid=$4 offset=$5 size=$6
root=$work/root
say() { echo "$*" >&3; }

hostname debian
mkdir -p "$root"
if [ "$memory" -gt 0 ]; then
  mount -t tmpfs -o "mode=755,size=$memory" tmpfs "$root"
else
  trap 'umount -R "$root/dev" "$root/proc" "$root/.build/packages" 2>/dev/null; rm -rf --one-file-system "$root"' EXIT
  chmod 755 "$root"
fi
cd "$root"
mkdir -p usr/bin usr/sbin usr/lib usr/lib64 etc dev proc sys run tmp var/lib/dpkg/info var/lib/dpkg/updates .build/packages
for name in bin sbin lib lib64; do ln -s "usr/$name" "$name"; done
: >var/lib/dpkg/status
: >var/lib/dpkg/available

total=$(wc -l <"$work/essential") done=0
while read -r name; do
  dpkg-deb --fsys-tarfile "$packages/$name" | tar -x -p --numeric-owner --keep-directory-symlink
  done=$((done + 1))
  say "unpack $done $total"
done <"$work/essential"

cp -R "$work/inside/." .build
mount --bind "$packages" .build/packages
mount -t proc proc proc
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
  : >"dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
ln -s /proc/self/fd dev/fd
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \\
  DEBCONF_NONINTERACTIVE_SEEN=true SYSTEMD_OFFLINE=1 chroot . /bin/sh /.build/configure
umount -R dev
umount proc .build/packages

cp boot/grub/i386-pc/boot.img boot/grub/i386-pc/core.img "$work"
cp "$(readlink -f vmlinuz)" "$work/vmlinuz"
cp "$(readlink -f initrd.img)" "$work/initrd"
dpkg-query --admindir=var/lib/dpkg -W -f '\${Package} \${Version}\\n' >"$work/installed"
rm -r .build
say 'file-system 0 1'
cd "$work"
# The features are those that the image's own tools and GRUB know, whatever this host's mke2fs would choose.
mke2fs -q -F -t ext4 -L root -U "$uuid" -b 4096 -m 1 -E "offset=$offset,root_owner=0:0,lazy_itable_init=0" \\
  -O none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum \\
  -d "$root" disk.raw "\${size}k"
say 'file-system 1 1'
`;

/** In the new system, as its root: configures and installs everything, and takes away what only this needed. */
export const configureScript = `set -eu
say() { echo "$*" >&3; }
cd /
# No service starts while the system is made.
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
# What is lost when this host fails is made again; syncing each file would take most of the time.
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/building
cat >/etc/apt/apt.conf.d/building <<'END'
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dpkg::Use-Pty "false";
END

say "essential 0 $(wc -l </.build/essential)"
(cd /.build/packages && xargs dpkg --status-fd 3 --force-depends --install) </.build/essential
while read -r mode path; do
  install -D -m "$mode" "/.build/files/$path" "/$path"
done </.build/file-list

say 'install 0 100'
# One initial RAM disk, at the end, is enough. The package's own settings wait beside these.
mkdir -p /etc/initramfs-tools
echo update_initramfs=no >/etc/initramfs-tools/update-initramfs.conf
apt-get -q -y -o APT::Status-Fd=3 -o Dpkg::Options::=--force-confold install $(sed s,^,/.build/packages/, /.build/system)

say 'finish 0 1'
kernel=$(basename "$(readlink -f /vmlinuz)")
mv /etc/initramfs-tools/update-initramfs.conf.dpkg-dist /etc/initramfs-tools/update-initramfs.conf
update-initramfs -c -k "\${kernel#vmlinuz-}"
ln -sf "boot/initrd.img-\${kernel#vmlinuz-}" /initrd.img
rm -f /vmlinuz.old /initrd.img.old
mkdir -p /boot/grub/i386-pc
cp /usr/lib/grub/i386-pc/*.mod /usr/lib/grub/i386-pc/*.lst /usr/lib/grub/i386-pc/boot.img /boot/grub/i386-pc
grub-mkimage -O i386-pc -c /.build/grub-search.cfg -p /boot/grub -o /boot/grub/i386-pc/core.img \\
  biosdisk part_msdos part_gpt ext2 search search_fs_uuid normal configfile linux serial terminal

# What nobody asked for by name goes when nothing needs it any more.
dpkg-query -W -f '\${Package} \${Priority}\\n' | grep -Ev ' (required|important)$' | cut -d ' ' -f 1 |
  grep -vxFf /.build/wanted | xargs apt-mark auto >/dev/null

systemctl enable $(cat /.build/services)
systemctl disable $(cat /.build/idle-services)
if [ -s /.build/password ]; then chpasswd </.build/password; else passwd -q -d root; fi
if [ -s /.build/authorized-keys ]; then
  install -d -m 700 /root/.ssh
  install -m 600 /.build/authorized-keys /root/.ssh/authorized_keys
fi

# Each machine made from this image gets its own.
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /var/lib/systemd/random-seed /var/lib/dbus/machine-id
: >/etc/machine-id
rm -f /usr/sbin/policy-rc.d /etc/dpkg/dpkg.cfg.d/building /etc/apt/apt.conf.d/building
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /tmp/* /run/* /var/tmp/*
rm -f /var/lib/dpkg/*-old /var/cache/debconf/*-old /var/lib/dpkg/lock* /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow-
find /var/log -type f -delete
say 'finish 1 1'
`;
