/** What is timed inside the guests, as data. */

export interface Workload {
  readonly name: string;
  /** For the reader of the report. */
  readonly title: string;
  /** Debian packages that come into the guest with their dependencies. */
  readonly packages?: readonly string[];
  /** A C file in guest/programs, built on the host as a static /bench/NAME/program. */
  readonly program?: string;
  /** Bytes of text in /bench/NAME/input, the same in every run. */
  readonly inputBytes?: number;
  /** Shell commands that run before, not timed. */
  readonly prepare?: string;
  /** The timed shell commands; what they print has to be the same everywhere. */
  readonly command: string;
}

export const workloads: readonly Workload[] = [
  {
    name: 'shell-loop',
    title: 'busybox shell, 300,000 iterations',
    command: 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo $i',
  },
  {
    name: 'sha256',
    title: 'sha256 of 100 MB (busybox)',
    command: 'head -c 100000000 /dev/zero | sha256sum',
  },
  {
    name: 'md5',
    title: 'md5 of 200 MB (busybox)',
    command: 'head -c 200000000 /dev/zero | md5sum',
  },
  {
    name: 'fork-exec',
    title: '500 × fork and exec (busybox)',
    command: 'i=0; while [ $i -lt 500 ]; do /bin/busybox true; i=$((i+1)); done; echo $i',
  },
  {
    name: 'gzip',
    title: 'gzip -9 of 2 MB',
    packages: ['gzip'],
    inputBytes: 2_000_000,
    command: '/bin/gzip -9 -n -c /bench/gzip/input | sha256sum',
  },
];
