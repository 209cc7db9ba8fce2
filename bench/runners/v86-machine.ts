/**
 * A machine of v86 as a process whose standard streams are its serial port; see `v86.ts`. It has no power switch that a kernel
 * without ACPI finds: the process ends when the guest says that it has halted.
 */
import { readFileSync } from 'node:fs';
import { V86 } from 'v86';

const [wasm = '', bios = '', vgaBios = '', kernel = '', initrd = '', memoryMb = '', cmdline = ''] =
  process.argv.slice(2);
const ended = /reboot: (System halted|Power down|Restarting system)/;
const videoMemory = 2 << 20;

function file(path: string): { buffer: ArrayBuffer } {
  const bytes = readFileSync(path);
  return { buffer: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer };
}

const machine = new V86({
  wasm_path: wasm,
  bios: file(bios),
  vga_bios: file(vgaBios),
  bzimage: file(kernel),
  initrd: file(initrd),
  cmdline,
  memory_size: Number(memoryMb) << 20,
  vga_memory_size: videoMemory,
  disable_speaker: true,
  autostart: true,
});

let line = '';
machine.add_listener('serial0-output-byte', (byte: number) => {
  process.stdout.write(Uint8Array.of(byte));
  line = byte === 10 ? '' : line + String.fromCharCode(byte);
  if (ended.test(line)) process.exit(0);
});
process.stdin.on('data', (bytes: Buffer) => machine.serial0_send(bytes.toString('latin1')));
