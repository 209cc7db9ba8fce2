import assert from 'node:assert/strict';
import { test } from 'node:test';
import { imageFolder, imagePackages } from '../guest/debian-image.ts';
import { isOriginalSource } from '../guest/source-package.ts';
import { readOptions } from '../options.ts';
import { Ledger } from '../report/report.ts';
import { targets } from '../targets.ts';
import { processorGains } from '../trials/processor-trials.ts';
import { debianSuite } from './debian.ts';
import { engineSuite } from './engine.ts';
import { i386Suite } from './i386.ts';
import { addGains, processorsSuite } from './processors.ts';

const suites = [engineSuite, i386Suite, debianSuite, processorsSuite];
const read = (...args: string[]) => readOptions(args, suites);

function chosen(...args: string[]): string[] {
  const options = read(...args);
  assert.ok(options.ok && options.value !== 'help');
  return options.value.suites.map(({ name }) => name);
}

test('one suite, all of them, or the engine where nothing is said', () => {
  assert.deepEqual(chosen(), ['engine']);
  assert.deepEqual(chosen('--suite', 'processors', '--cpus', '4'), ['processors']);
  assert.deepEqual(chosen('--suite', 'all'), ['engine', 'i386', 'debian', 'processors']);
  assert.deepEqual(chosen('--suite', 'all', '--only', 'fio'), ['debian']);
});

test('what makes no sense is refused with a reason', () => {
  const reason = (...args: string[]): string => {
    const options = read(...args);
    assert.ok(!options.ok);
    return options.error.message;
  };
  assert.match(reason('--suite', 'disk'), /engine, i386, debian, processors or all, not "disk"/);
  assert.match(reason('--only', 'fio'), /--only matches nothing/);
  assert.match(reason('--runs', '0'), /--runs takes/);
  assert.match(reason('--cpus', '1'), /from 2 to 16/);
  assert.match(reason('--cpus', 'two'), /from 2 to 16/);
  assert.match(reason('--suite', 'debian', '--runners', 'native'), /--runners matches nothing/);
});

test('runs are left to the suite unless they are given', () => {
  const runs = (...args: string[]) => {
    const options = read(...args);
    return options.ok && options.value !== 'help' ? options.value.runs : NaN;
  };
  assert.equal(runs(), undefined);
  assert.equal(runs('--runs', '5'), 5);
});

test('targets of the debian suites are about what these measure', () => {
  const gains = processorGains(2).map(({ name }) => name);
  const names = [...debianSuite.measures, ...processorsSuite.measures, ...gains];
  for (const { measure } of targets.filter(({ runner }) => runner === 'corbel')) {
    assert.ok(names.includes(measure), measure);
  }
});

test('a gain is the work of all over that of one, from medians', () => {
  const ledger = new Ledger();
  const seconds = (name: string) => ({ name, title: name, unit: 's', better: 'less' }) as const;
  for (const value of [4, 5, 6]) ledger.add(seconds('smp-sha256-1'), 'corbel', value);
  ledger.add(seconds('smp-sha256'), 'corbel', 8);
  ledger.add(seconds('smp-make-1'), 'corbel', 30);
  ledger.add(seconds('smp-make'), 'corbel', 20);
  addGains(processorGains(2), ledger, ['corbel', 'qemu-tcg']);
  assert.deepEqual(ledger.samples('smp-sha256-gain-2', 'corbel'), [1.25]);
  assert.deepEqual(ledger.samples('smp-make-gain-2', 'corbel'), [1.5]);
  assert.deepEqual(ledger.samples('smp-zstd-gain-2', 'corbel'), []);
  assert.deepEqual(ledger.samples('smp-sha256-gain-2', 'qemu-tcg'), []);
});

test('an image is another one with other packages, in whatever order they are named', () => {
  assert.equal(imageFolder(imagePackages, true), imageFolder([...imagePackages].reverse(), true));
  assert.notEqual(imageFolder(imagePackages, true), imageFolder([...imagePackages, 'hello'], true));
  assert.notEqual(imageFolder(imagePackages, true), imageFolder(imagePackages, false));
});

test("the authors' archive is told from what Debian adds", () => {
  assert.ok(isOriginalSource('lua5.4', 'lua5.4_5.4.4.orig.tar.gz'));
  assert.ok(!isOriginalSource('lua5.4', 'lua5.4_5.4.4-3+deb12u1.debian.tar.xz'));
  assert.ok(!isOriginalSource('lua5.4', 'lua5.4-doc_5.4.4.orig.tar.gz'));
});
