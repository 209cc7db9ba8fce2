// Refuses source files longer than 400 lines. Tables that are only data (the instruction table, the manuals'
// constants) may be longer.
import { readdirSync, readFileSync } from 'node:fs';

const LIMIT = 400;
const DATA = /(^|\/)(isa|spec)\//;

let tooLong = 0;
for (const folder of ['src', 'tests', 'bench', 'scripts']) {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = `${folder}/${name}`;
    if (!/\.(ts|mjs|c)$/.test(path) || DATA.test(path)) continue;
    const lines = readFileSync(path, 'utf8').split('\n').length - 1;
    if (lines <= LIMIT) continue;
    process.stderr.write(`${path}: ${lines} lines, the limit is ${LIMIT}; split it.\n`);
    tooLong++;
  }
}
process.exitCode = tooLong > 0 ? 1 : 0;
