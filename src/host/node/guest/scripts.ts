/**
 * The shell scripts of the linux guest, run by the guest's busybox.
 *
 * ttyS0 is the console. ttyS1 is the channel to this process (see guest-channel.ts): framed output of a command, and
 * pieces of standard input on request. A frame is written with one write(2), which the terminal layer keeps whole, so
 * that several writers need no lock.
 */

/** Process 1: makes the system usable, then becomes busybox's init (its name there is linuxrc). */
export const initScript = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /run /tmp /root /etc
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox mkdir -p /dev/pts /dev/shm
/bin/busybox mount -t devpts devpts /dev/pts
/bin/busybox mount -t tmpfs tmpfs /dev/shm
/bin/busybox --install -s /bin
# A kernel may have a module built in, or have another version than the modules.
while read -r module; do insmod /lib/corbel/$module.ko 2>/dev/null; done </corbel/modules
hostname corbel
ip link set lo up 2>/dev/null
. /corbel/network
exec /bin/linuxrc
`;

/** Brings the cards up. An address that is certain to come is waited for, others come when they come. */
export function networkScript(cards: readonly { readonly hasDhcp: boolean }[]): string {
  const lines = cards.map(({ hasDhcp }, number) => {
    const common = `udhcpc -i eth${number} -s /corbel/dhcp -S -T 1`;
    const how = hasDhcp ? `${common} -t 5 -n` : `${common} -t 3 -A 10 -b`;
    return `[ -e /sys/class/net/eth${number} ] && ip link set eth${number} up && ${how} >/dev/null 2>&1\n`;
  });
  return `# Sourced by init.\n${lines.join('')}`;
}

/** What udhcpc runs when an address comes or goes. */
export const dhcpScript = `#!/bin/sh
case $1 in
deconfig)
  ip addr flush dev $interface
  ;;
bound | renew)
  [ "$1" = bound ] && ip addr add $ip/$mask broadcast + dev $interface
  [ -n "$mtu" ] && ip link set $interface mtu $mtu
  [ -n "$router" ] && ip route replace default via \${router%% *} dev $interface
  { [ -z "$search$domain" ] || echo "search \${search:-$domain}"; for server in $dns; do echo "nameserver $server"; done; } >/etc/resolv.conf
  [ -z "$hostname" ] || hostname "$hostname"
  ;;
esac
`;

/** What every script shares: the channel on descriptor 3, and its frames. */
export const channelLibrary = `# Sourced by the session scripts.
channel=/dev/ttyS1
exec 3<>$channel
stty raw -echo <&3

# One small frame.
say() { printf '%s\\n' "$*" >&3; }

# Copies standard input to the channel in frames of kind $1, until its end.
frames() {
  while dd bs=65536 count=1 of=/run/$1.piece 2>/dev/null && [ -s /run/$1.piece ]; do
    { echo "$1 $(stat -c %s /run/$1.piece)"; cat /run/$1.piece; } >/run/$1.frame
    dd if=/run/$1.frame bs=70000 count=1 of=$channel 2>/dev/null
  done
}

# Copies the standard input of the process outside to standard output, asking for each piece.
feed() {
  while say W 4000; read -r size <&3 && [ "$size" -gt 0 ]; do
    dd bs="$size" count=1 iflag=fullblock <&3 2>/dev/null || break
  done
}

power_off() { sync; poweroff -f; }
`;

/** A shell on the console with job control; the window size follows the one outside. Leaving it powers off. */
export const interactiveScript = `#!/bin/sh
. /corbel/channel
terminal=$(tty)
while read -r rows columns <&3; do stty rows "$rows" cols "$columns" <"$terminal"; done &
cd /root
sh -l 3>&-
power_off
`;

/** A shell that reads the lines of the standard input outside; at their end the guest powers off. */
export const linesScript = `#!/bin/sh
. /corbel/channel
stty -onlcr
say R
cd /root
feed | sh
power_off
`;

/** One command: its output in frames O, its errors in frames E, its status in frame X. */
export const commandScript = `#!/bin/sh
. /corbel/channel
mkfifo /run/in /run/out /run/err
frames O </run/out &
out=$!
frames E </run/err &
err=$!
feed >/run/in &
say R
cd /root
setsid sh -c "$(cat /corbel/command)" </run/in >/run/out 2>/run/err 3>&- &
command=$!
wait $command
status=$?
kill -KILL -$command 2>/dev/null
wait $out $err
say X $status
power_off
`;

/** Before init takes the system down for a reboot that somebody asked for: a reset without this frame is a death. */
export const shutdownScript = `#!/bin/sh
. /corbel/channel
say B
`;
