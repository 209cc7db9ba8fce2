import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fail, ok, type Result } from '../../src/support/result.ts';
import { kernelCommandLine, type Runner } from './runner.ts';

const firmware = { bios: '/usr/share/seabios/bios.bin', vgaBios: '/usr/share/seabios/vgabios-stdvga.bin' } as const;
const program = fileURLToPath(new URL('v86-machine.ts', import.meta.url));

const folder = (): string => fileURLToPath(new URL('..', import.meta.resolve('v86')));

function prepareV86(): Result<string> {
  const missing = Object.values(firmware).find((path) => !existsSync(path));
  if (missing !== undefined) return fail('unavailable', `there is no ${missing}; install seabios`);
  try {
    const { version } = JSON.parse(readFileSync(`${folder()}package.json`, 'utf8')) as { version: string };
    return ok(`v86 ${version}, Node ${process.versions.node}`);
  } catch {
    return fail('unavailable', 'the package v86 is not installed');
  }
}

/** v86, which translates 32-bit code to WebAssembly, in Node; with the distribution's firmware, and its machine as it comes. */
export const v86: Runner = {
  name: 'v86',
  machine: true,
  prepare: async () => prepareV86(),
  command: ({ kernel, initrd, memoryMb }) => ({
    program: process.execPath,
    args: [
      ['--disable-warning=ExperimentalWarning', program, `${folder()}build/v86.wasm`],
      [firmware.bios, firmware.vgaBios, kernel, initrd, `${memoryMb}`, kernelCommandLine],
    ].flat(),
  }),
};
