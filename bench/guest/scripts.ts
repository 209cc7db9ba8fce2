/** The shell scripts of the bench's guest. The first two run in a machine only, the last one natively too. */

/** Process 1. Kernel messages could tear a marker apart, so they stop; `/bench/boot` is the linux guest's own init. */
export const initScript = `#!/bin/busybox sh
/bin/busybox dmesg -n 1
echo '@bench init@'
exec /bench/boot
`;

/** On the console, when the system is up. */
export const sessionScript = `#!/bin/sh
stty -echo
/bench/serve
poweroff -f
`;

/**
 * Runs the workloads that it is told, one line each, until the line "off" or the end of its input. A workload finds
 * its input in its folder, works in /run/work, which is empty, and prints what shows that it did the work.
 */
export const serveScript = `#!/bin/sh
export PATH=/bin:/usr/bin:/sbin:/usr/sbin HOME=/root LC_ALL=C
say() { echo "@bench $*@"; }
say ready
while read -r verb name && [ "$verb" = run ]; do
  rm -rf /run/work
  mkdir -p /run/work
  cd /run/work
  sh -e "/bench/$name/prepare" </dev/null >/run/output 2>&1
  say start "$name"
  sh -e -o pipefail "/bench/$name/command" </dev/null >/run/output 2>&1
  status=$?
  say end "$name" $status
  [ $status = 0 ] || tail -n 2 /run/output
  say output "$name" $(sha256sum </run/output)
done
`;
