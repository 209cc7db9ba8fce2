/** Linux changes its own code while several processors run it: static keys, tracers, probes, compiled filters. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testFolder } from '../../../src/host/node/disk/testing/folder.ts';
import { startLinux } from '../linux-process.ts';
import { loadFunctions, readAccount, showLog } from './guest-load.ts';
import { buildProgram } from './guest-program.ts';
import { unpackDisk, writePackageDisk } from './package-disk.ts';

const file = testFolder();
const rounds = 3;

test('code is patched, compiled and thrown away while four processors run it', { timeout: 900_000 }, async () => {
  const disk = file('patching.img');
  await writePackageDisk(disk, [], [buildProgram('filters', file('filters'))]);
  const command = `${unpackDisk}
${loadFunctions}
start_load 2
filters >/tmp/filtered &
mount -t tracefs tracefs /sys/kernel/tracing && cd /sys/kernel/tracing
echo 64 >buffer_size_kb
traced=0 probed=0
for round in $(seq ${rounds}); do
  # Static keys and static calls.
  for value in 1 0 1 0; do
    echo $value >/proc/sys/kernel/sched_schedstats
    echo $value >events/sched/enable
    echo $value >events/syscalls/enable
  done
  # NOPs at the beginning of functions become calls, and NOPs again.
  echo 'vfs_*' >set_ftrace_filter
  for tracer in function function_graph; do
    echo >trace
    echo $tracer >current_tracer
    cat /proc/stat >/dev/null
    grep -q vfs_read trace && traced=$((traced + 1))
    echo nop >current_tracer
  done
  echo >set_ftrace_filter
  # One in the middle of a function is a breakpoint.
  echo 'p:entry vfs_read' >kprobe_events
  # Where an instruction begins.
  for offset in 5 6 7 8 9 10 11 12 13 14 15; do
    echo "p:middle vfs_read+$offset" 2>/dev/null >>kprobe_events && break
  done
  echo >trace
  echo 1 >events/kprobes/enable
  cat /proc/stat >/dev/null
  grep -q entry: trace && grep -q middle: trace && probed=$((probed + 1))
  echo 0 >events/kprobes/enable
  echo >kprobe_events
done
cd /
echo traced $traced probed $probed
end_load
cat /tmp/filtered
${showLog}`;
  const ended = await startLinux(['--timeout', '800', '--cpus', '4', '--disk', disk, '--exec', command]).ended;
  const { output, complaints } = readAccount(ended.stdout.toString());
  assert.deepEqual([ended.status, ended.stderr, complaints], [0, '', []]);
  assert.match(
    output,
    new RegExp(`^traced ${2 * rounds} probed ${rounds}\nrounds [1-9][0-9]*\nfilters right [1-9][0-9]* wrong 0\n$`),
  );
});
