import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type KeptRun, loadProgram } from './compiled-program.ts';

const text = `(function(require,module,exports,programUrl){
function twice(n){return require('node:util').format('%d',2*n)}
module.exports={answer:()=>twice(21),where:programUrl}})`;

interface Program {
  readonly file: string;
  /** Where what was made of it is kept. */
  readonly folder: string;
}

function writeProgram(t: TestContext): Program {
  const folder = mkdtempSync(join(tmpdir(), 'corbel-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'program.cjs'), text);
  return { file: join(folder, 'program.cjs'), folder: join(folder, 'kept') };
}

/** Loads and runs it in an engine of its own, which then changes its flags. @returns whether what was kept was taken */
function run({ file, folder }: Program, like: KeptRun = { kind: 'test', leastMs: 0 }): boolean {
  const module = JSON.stringify(new URL('compiled-program.ts', import.meta.url).href);
  const script = `
    import { setFlagsFromString } from 'node:v8';
    import { loadBuiltProgram } from ${module};
    const file = new URL(${JSON.stringify(pathToFileURL(file).href)});
    const { exports, taken, keep } = loadBuiltProgram(file, ${JSON.stringify(folder)}, ${JSON.stringify(like)});
    if (exports.answer() !== '42' || exports.where !== file.href) process.exit(1);
    setFlagsFromString('--no-wasm-inlining');
    keep();
    console.log(taken);`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout.trim() === 'true';
}

function onlyFile(folder: string): string {
  const names = readdirSync(folder);
  assert.equal(names.length, 1);
  return join(folder, names[0] as string);
}

test('the next engine takes what was kept of a program, though flags were set meanwhile', (t) => {
  const program = writeProgram(t);
  assert.equal(run(program), false);
  const kept = readFileSync(onlyFile(program.folder));
  assert.ok(kept.includes('twice'), 'what was called is in it');
  assert.equal(run(program), true);
  assert.deepEqual(readFileSync(onlyFile(program.folder)), kept);
});

test('what is damaged is made anew', (t) => {
  const program = writeProgram(t);
  run(program);
  const file = onlyFile(program.folder);
  const whole = readFileSync(file);
  const flipped = Buffer.from(whole);
  flipped[whole.length >> 1] = (flipped[whole.length >> 1] as number) ^ 1;
  for (const damaged of [Buffer.alloc(0), whole.subarray(0, 3), whole.subarray(0, whole.length - 8), flipped]) {
    writeFileSync(file, damaged);
    assert.equal(run(program), false);
    assert.equal(run(program), true);
  }
});

test('another text is another program, also where it is as long', (t) => {
  const program = writeProgram(t);
  run(program);
  writeFileSync(program.file, text.replace('2*n', 'n+n'));
  assert.equal(run(program), false);
  assert.equal(readdirSync(program.folder).length, 2);
  assert.equal(run(program), true);
});

test('runs of another kind keep theirs apart; one that was over at once keeps nothing', (t) => {
  const program = writeProgram(t);
  assert.equal(run(program, { kind: 'long', leastMs: 60_000 }), false);
  assert.ok(!existsSync(program.folder));
  assert.equal(run(program), false);
  assert.equal(run(program, { kind: 'other', leastMs: 0 }), false);
  assert.equal(run(program, { kind: 'other', leastMs: 60_000 }), true);
});

test('what has not been made for a month goes', (t) => {
  const program = writeProgram(t);
  run(program);
  const old = onlyFile(program.folder);
  const before = Date.now() / 1000 - 31 * 24 * 3600;
  utimesSync(old, before, before);
  writeFileSync(program.file, `${text} `);
  run(program);
  assert.ok(!existsSync(old));
});

test('a program runs where nothing can be kept', (t) => {
  const program = writeProgram(t);
  writeFileSync(program.folder, '');
  assert.equal(run(program), false);
});

test('the sources run as they are', async () => {
  const { exports, taken } = await loadProgram<typeof import('./cache-folder.ts')>(
    new URL('./cache-folder.ts', import.meta.url),
    { kind: 'test', leastMs: 0 },
  );
  assert.equal(typeof exports.cacheFolder, 'function');
  assert.equal(taken, false);
});
