#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
import { runProcess } from './main.ts';

// The sources run as they are, the build as JavaScript: the machine's file has this file's own ending.
const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
await runProcess(new URL(`../machine/machine.${ending}`, import.meta.url));
