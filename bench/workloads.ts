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
  {
    name: 'zstd',
    title: 'zstd of 10 MB',
    packages: ['zstd'],
    inputBytes: 10_000_000,
    command: '/usr/bin/zstd --single-thread -q -c /bench/zstd/input | sha256sum',
  },
  {
    name: 'xz',
    title: 'xz -d of 10 MB',
    packages: ['xz-utils'],
    inputBytes: 10_000_000,
    prepare: '[ -s /run/xz.xz ] || /usr/bin/xz -0 -T1 -c /bench/xz/input >/run/xz.xz',
    command: '/usr/bin/xz -d -T1 -c /run/xz.xz | sha256sum',
  },
  {
    name: 'matrix',
    title: 'matrix product in double precision (C)',
    program: 'matrix.c',
    command: '/bench/matrix/program',
  },
  {
    name: 'nbody',
    title: 'bodies in double precision (C)',
    program: 'nbody.c',
    command: '/bench/nbody/program',
  },
  {
    name: 'sqlite',
    title: 'sqlite3: 100,000 inserts and queries in memory',
    packages: ['sqlite3'],
    prepare: `cat >queries.sql <<'END'
create table t (id integer primary key, word text, value integer);
create index by_value on t (value);
begin;
with recursive n (i) as (values (1) union all select i + 1 from n where i < 100000)
insert into t select i, 'word' || (i * 7919 % 100003), i * 104729 % 1000 from n;
commit;
select count(*), sum(value) from t where word like '%77%';
select value, count(*) from t group by value having value % 100 = 0;
select sum(a.value) from t a join t b on a.id = b.value + 1;
END`,
    command: '/usr/bin/sqlite3 :memory: <queries.sql',
  },
  {
    name: 'openssl',
    title: 'openssl: aes-128-cbc and sha256 of 10 MB, rsa2048',
    packages: ['openssl'],
    inputBytes: 10_000_000,
    prepare: '[ -s /run/rsa.pem ] || /usr/bin/openssl genrsa -out /run/rsa.pem 2048',
    command: `o=/usr/bin/openssl i=/bench/openssl/input k=000102030405060708090a0b0c0d0e0f
$o enc -aes-128-cbc -K $k -iv $k -in $i | $o dgst -sha256
n=0; while [ $n -lt 10 ]; do $o dgst -sha256 -sign /run/rsa.pem -out signature /init; n=$((n+1)); done
wc -c <signature`,
  },
  {
    name: 'python',
    title: 'python3: start, objects and calls, json',
    packages: ['python3.11'],
    prepare: `cat >work.py <<'END'
import json
class Node:
    def __init__(self, value): self.value, self.next = value, None
    def step(self, n): return self.value * n % 10007
head = None
for i in range(2000):
    node = Node(i); node.next = head; head = node
total = 0
for n in range(50):
    node = head
    while node: total += node.step(n); node = node.next
text = json.dumps([{"i": i, "s": "x" * (i % 17), "f": i / 7} for i in range(10000)])
print(total, len(text), sum(r["i"] for r in json.loads(text)))
END`,
    command: '/usr/bin/python3.11 -I work.py',
  },
  {
    name: 'perl',
    title: 'perl: 20 starts',
    packages: ['perl-base'],
    command: `i=0; while [ $i -lt 20 ]; do /usr/bin/perl -MList::Util=sum -e 'print sum(1 .. 100), "\\n"'; i=$((i+1)); done`,
  },
  {
    name: 'tcc',
    title: 'tcc compiling 20,000 functions',
    packages: ['tcc', 'libc6-dev'],
    prepare: `{ echo '#include <stdio.h>'; echo 'int f0(int x) { return x; }'; seq 1 20000 | while read -r i; do
  echo "int f$i(int x) { int y = 0; for (int i = 0; i < x; i++) y += f$((i-1))(i) * $i; return y ^ 0x$i; }"
done; echo 'int main(void) { printf("%d\\n", f3(3)); }'; } >work.c`,
    command: '/usr/bin/tcc -o work work.c && ./work',
  },
];
