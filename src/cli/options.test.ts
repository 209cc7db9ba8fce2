import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMemorySize } from './memory-size.ts';
import { parseRunOptions, type RunOptions } from './run-options.ts';

function parsed(...args: string[]): RunOptions {
  const options = parseRunOptions(args);
  assert.ok(options.ok && options.value !== 'help');
  return options.value;
}

function refused(...args: string[]): string {
  const options = parseRunOptions(args);
  assert.ok(!options.ok);
  assert.equal(options.error.kind, 'usage');
  return options.error.message;
}

test('memory sizes have a unit and fit', () => {
  const sizes: [string, number][] = [
    ['512M', 512 * 2 ** 20],
    ['2G', 2 ** 31],
    ['4g', 2 ** 32],
    ['1.5GiB', 1.5 * 2 ** 30],
    ['1024K', 2 ** 20],
    ['1MB', 2 ** 20],
  ];
  for (const [text, bytes] of sizes) assert.deepEqual(parseMemorySize(text), { ok: true, value: bytes }, text);
  const wrong = ['512', '', 'M', '-1G', '1e3M', '0M', '999K', '5G', '1T', '99999999999999999999T', '1.00001M', '0x10M'];
  for (const text of [...wrong, 'lots', '512 M', '512M ']) assert.equal(parseMemorySize(text).ok, false, text);
});

test('a size without a unit gets the suggestion, an impossible one the limits', () => {
  assert.match(refused('--memory', '512'), /did you mean 512M/);
  assert.match(refused('--memory', '64G'), /from 1M to 4G/);
  assert.match(refused('--code-cache', '256'), /did you mean 256M/);
  assert.match(refused('--code-cache', '1M'), /too little/);
});

test('processors are one, or as many as asked for', () => {
  assert.deepEqual(parsed().topology, { sockets: 1, cores: 1, threads: 1 });
  assert.deepEqual(parsed('--cpus', '4,threads=2').topology, { sockets: 1, cores: 2, threads: 2 });
  assert.match(refused('--cpus', '4,cores=3'), /does not divide 4/);
});

test('consoles: one of them can be standard input and output', () => {
  assert.deepEqual(parsed().virtioConsole, undefined);
  const both = parsed('--virtio-console', 'stdio');
  assert.deepEqual([both.virtioConsole, both.serial], [{ kind: 'stdio' }, { kind: 'none' }]);
  assert.deepEqual(parsed('--virtio-console', 'file:x').serial, { kind: 'stdio' });
  assert.match(refused('--virtio-console', 'stdio', '--serial', 'stdio'), /one of --serial and --virtio-console/);
  assert.match(refused('--virtio-console', 'x'), /--virtio-console takes stdio, none or file:PATH/);
});

test('ports have names, and a socket each', () => {
  assert.deepEqual(parsed('--port', 'org.a-b_c.0=/tmp/x=y').ports, [{ name: 'org.a-b_c.0', path: '/tmp/x=y' }]);
  for (const wrong of ['a', '=b', 'a=', 'a b=c', 'ü=c', `${'x'.repeat(65)}=c`]) {
    assert.match(refused('--port', wrong), /takes NAME=SOCKET/);
  }
  assert.match(refused('--port', 'a=b', '--port', 'a=c'), /two ports with the name a/);
});

test('a balloon leaves the guest some of its memory', () => {
  assert.equal(parsed().balloonBytes, undefined);
  assert.equal(parsed('--memory', '1G', '--balloon', '768M').balloonBytes, 256 * 2 ** 20);
  assert.equal(parsed('--balloon', '512M').balloonBytes, 0);
  assert.match(refused('--balloon', '513M'), /more than the guest's memory/);
  assert.match(refused('--balloon', '100'), /--balloon .* did you mean 100M/);
  assert.match(refused('--balloon', '0M'), /--balloon 0M is too little/);
});

test('without a kernel, and with the word, the linux guest stands in', () => {
  assert.equal(parsed().linux, true);
  assert.equal(parsed('linux', '--kernel', 'k').linux, true);
  assert.equal(parsed('--kernel', 'k').linux, false);
  assert.equal(parsed('--kernel', 'k', '--exec', 'true').linux, true);
});

test('values stand apart or behind an equals sign, and may begin with a dash', () => {
  assert.equal(parsed('--append=console=ttyS0').append, 'console=ttyS0');
  assert.equal(parsed('--append', 'a', '--append', 'b').append, 'a b');
  assert.equal(parsed('--exec', '--help').command, '--help');
  assert.equal(parsed('--exec=a\nb').command, 'a\nb');
  assert.deepEqual(parsed('--kernel', 'k', '--module', 'a', '--module=b c').modules, ['a', 'b c']);
  assert.deepEqual(parsed('--serial', 'file:/tmp/a:b').serial, { kind: 'file', path: '/tmp/a:b' });
  assert.equal(parsed('--timeout', '1.5').timeoutMs, 1500);
});

test('what is wrong is named', () => {
  assert.match(refused('--frobnicate'), /no option --frobnicate/);
  assert.match(refused('-kernel', 'x'), /no option -kernel/);
  assert.match(refused('--kernel'), /--kernel needs a value/);
  assert.match(refused('--stats=yes'), /--stats takes no value/);
  assert.match(refused('windows'), /no guest "windows"/);
  assert.match(refused('linux', 'linux'), /no guest "linux"/);
  assert.match(refused('--accel', 'kvm'), /not "kvm"/);
  assert.match(refused('--serial', 'file:'), /not "file:"/);
  assert.match(refused('--exec', 'a', '--initrd', 'b', '--kernel', 'c'), /leave --initrd out/);
  assert.match(refused('--initrd', 'b'), /--initrd needs a kernel/);
  for (const timeout of ['0', '-1', 'soon', '1e9', '9999999', 'Infinity', '']) {
    assert.match(refused('--timeout', timeout), /number of seconds/);
  }
});

test('help wins over everything but a misspelt option', () => {
  for (const flag of ['--help', '-h']) assert.deepEqual(parseRunOptions([flag]), { ok: true, value: 'help' });
});
