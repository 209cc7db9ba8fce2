// Makes the program: one file a thread instead of some 700 modules, which cost a quarter of a second at every start of
// the main thread, and again in the machine's. Types are checked elsewhere (`npm run check`).
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const outdir = join(root, 'build', 'bundle');

/** The program, what each of its threads starts with, and the machine, which they load by its address. */
const entries = [
  'src/cli/corbel.ts',
  'src/cpu/interpret/prepare.ts',
  'src/machine/machine.ts',
  'src/host/node/vm-worker.ts',
  'src/host/node/processor-worker.ts',
  'src/host/node/translation-worker.ts',
  'src/host/node/net/tap-worker.ts',
];

rmSync(outdir, { recursive: true, force: true });
try {
  await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir,
    bundle: true,
    // What threads share is a file of its own, so that they agree on what a class is. All files lie in one folder: a
    // file's address is where the others are.
    splitting: true,
    entryNames: '[name]',
    format: 'esm',
    platform: 'node',
    target: 'node26',
    // Comments say nothing to the engine, which keeps the text for as long as a thread runs. Names stay, for reports of crashes.
    minifyWhitespace: true,
    charset: 'ascii',
    logLevel: 'warning',
  });
  // Made by what was just built, so that the two fit.
  const { prepareInterpreter } = await import(pathToFileURL(join(outdir, 'prepare.js')).href);
  const { main, handlers } = prepareInterpreter();
  writeFileSync(join(outdir, 'interpreter.wasm'), main);
  writeFileSync(join(outdir, 'handlers.wasm'), handlers);
} catch (error) {
  if (!(error instanceof Error && 'errors' in error)) throw error;
  process.exitCode = 1; // esbuild has said why.
}
