/** SeaBIOS from the distribution's package: its banner, and what it says of disks that boot nothing. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startCorbel } from './corbel.ts';
import { providePackageFile, seabios } from './package-file.ts';
import { Screen } from './screen.ts';

const folder = mkdtempSync(join(tmpdir(), 'corbel-seabios-'));
after(() => rmSync(folder, { recursive: true }));

const timeoutMs = 300_000;
const sectorBytes = 512;

/** Runs until the screen shows `last`. @returns the screen */
async function screenOf(last: RegExp, ...args: string[]): Promise<string> {
  const bios = await providePackageFile(seabios);
  const { child, ended } = startCorbel(['run', '--bios', bios, '--timeout', String(timeoutMs / 1000), ...args], 'open');
  const screen = new Screen();
  child.stdout?.setEncoding('latin1');
  try {
    await Promise.race([
      new Promise<void>((resolve) => {
        child.stdout?.on('data', (text: string) => {
          screen.write(text);
          if (last.test(`${screen}`)) resolve();
        });
      }),
      ended.then(({ status, stderr }) => {
        throw new Error(`it ended with status ${status}: ${stderr}\n${screen}`);
      }),
    ]);
  } finally {
    child.kill('SIGTERM');
  }
  return `${screen}`;
}

function disk(name: string, bootSector: readonly number[]): string {
  const bytes = new Uint8Array(1 << 20);
  bytes.set(bootSector);
  if (bootSector.length > 0) bytes.set([0x55, 0xaa], sectorBytes - 2);
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

test('without a disk it says so', { timeout: timeoutMs }, async () => {
  assert.match(await screenOf(/No bootable device/), /^\s*SeaBIOS \(version 1\.[^)]+\)/m);
});

test('a disk without a boot sector is tried in vain', { timeout: timeoutMs }, async () => {
  const screen = await screenOf(/No bootable device/, '--disk', disk('blank', []));
  assert.match(screen, /Booting from Hard Disk\.\.\.\s+Boot failed: not a bootable disk/);
});

test('a boot sector runs, and reads further sectors of its disk', { timeout: timeoutMs }, async () => {
  // Reads sector 1 to 0000:8000 (INT 13h, AH=02h), prints its first letter by INT 10h, AH=0Eh, and halts.
  const code = [
    ...[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0],
    ...[0xb8, 0x01, 0x02, 0xb9, 0x02, 0x00, 0xb6, 0x00, 0xbb, 0x00, 0x80, 0xcd, 0x13],
    ...[0xa0, 0x00, 0x80, 0xb4, 0x0e, 0xbb, 0x07, 0x00, 0xb9, 0x28, 0x00],
    // LOOP over the call: forty times the letter; SeaBIOS holds the last one back.
    ...[0xcd, 0x10, 0xe2, 0xfc, 0xfa, 0xf4],
  ];
  const sector = new Array<number>(sectorBytes).fill(0);
  code.forEach((byte, i) => {
    sector[i] = byte;
  });
  const path = disk('boots', [...sector, '@'.charCodeAt(0)]);
  assert.match(await screenOf(/@{39}/, '--disk', path), /Booting from Hard Disk\.\.\./);
});
