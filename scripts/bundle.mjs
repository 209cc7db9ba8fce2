// Makes the program: one file a thread instead of some 700 modules, which cost a quarter of a second at every start of
// the main thread, and again in the machine's. Types are checked elsewhere (`npm run check`).
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const outdir = join(root, 'build', 'bundle');

const common = /** @type {const} */ ({
  absWorkingDir: root,
  bundle: true,
  entryNames: '[name]',
  platform: 'node',
  target: 'node26',
  // Comments say nothing to the engine, which keeps the text for as long as a thread runs. Names stay, for reports of crashes.
  minifyWhitespace: true,
  charset: 'ascii',
  logLevel: 'warning',
});

/** What Node starts threads with. As CommonJS, which it loads in half of the time. */
const entries = ['src/cli/corbel.ts', 'src/host/node/guest-thread.ts', 'src/host/node/net/tap-worker.ts'];

/** What they load then, as texts of functions: see `src/host/node/compiled-program.ts`. */
const programs = [
  'src/cli/main.ts',
  'src/host/node/vm-worker.ts',
  'src/host/node/processor-worker.ts',
  'src/host/node/translation-worker.ts',
];

rmSync(outdir, { recursive: true, force: true });
const work = mkdtempSync(join(tmpdir(), 'corbel-build-'));
try {
  await build({
    ...common,
    entryPoints: entries,
    outdir,
    format: 'cjs',
    define: { 'import.meta.url': 'fileUrl' },
    banner: { js: "const fileUrl=require('node:url').pathToFileURL(__filename).href;" },
  });
  writeFileSync(join(outdir, 'package.json'), '{"type":"commonjs"}\n');
  await build({
    ...common,
    entryPoints: programs,
    outdir,
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    define: { 'import.meta.url': 'programUrl' },
    banner: { js: '(function(require,module,exports,programUrl){' },
    footer: { js: '})' },
  });
  // Made by what was just built, so that the two fit.
  await build({ ...common, entryPoints: ['src/cpu/interpret/prepare.ts'], outdir: work, format: 'esm' });
  const { prepareInterpreter } = await import(pathToFileURL(join(work, 'prepare.js')).href);
  const { main, handlers } = prepareInterpreter();
  writeFileSync(join(outdir, 'interpreter.wasm'), main);
  writeFileSync(join(outdir, 'handlers.wasm'), handlers);
} catch (error) {
  if (!(error instanceof Error && 'errors' in error)) throw error;
  process.exitCode = 1; // esbuild has said why.
} finally {
  rmSync(work, { recursive: true, force: true });
}
