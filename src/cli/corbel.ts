#!/usr/bin/env node
process.stdout.write('corbel\n');
