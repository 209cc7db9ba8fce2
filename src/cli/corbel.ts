#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
import { keepCompiledProgram, restartForGuests } from '../host/node/engine-options.ts';

// Before anything large is loaded, which would be for nothing.
if (process.argv[2] === 'run') restartForGuests();
keepCompiledProgram();
const { runProcess } = await import('./main.ts');

// The sources run as they are; the program's files lie in one folder.
const machine = import.meta.url.endsWith('.ts') ? '../machine/machine.ts' : './machine.js';
await runProcess(new URL(machine, import.meta.url));
