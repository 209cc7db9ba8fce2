/** What a machine offers to firmware that it starts with, SeaBIOS above all: the image itself, and files in fw_cfg. */
import type { GuestMemory } from '../memory/guest-memory.ts';
import { e820Type, pcMemory } from '../spec/pc/e820.ts';
import { firmwareE820Bytes, firmwareFile, firmwareRom } from '../spec/pc/firmware-files.ts';
import { type Failure, fail, ok, type Result } from '../support/result.ts';
import type { AcpiBoard } from './acpi/board.ts';
import { buildAcpiFiles, type FirmwareFile } from './acpi/table-loader.ts';
import { buildSmbiosEntryPoint, buildSmbiosTable, type SmbiosMachine } from './smbios.ts';

/** Puts the end of `image` below 1 MiB, where the processor goes after its first jump. */
export function installFirmwareRom(memory: GuestMemory, image: Uint8Array): Result<void, Failure<'malformed'>> {
  if (image.length === 0 || image.length % firmwareRom.granule !== 0 || image.length > firmwareRom.maxBytes) {
    return fail('malformed', `The firmware has ${image.length} bytes; it must be a multiple of 64K up to 16M.`);
  }
  if (memory.lowSize < 2 * firmwareRom.lowEnd) {
    return fail('malformed', 'Firmware needs 2 MiB of memory at least; give the guest more with --memory.');
  }
  const low = image.subarray(Math.max(0, image.length - firmwareRom.lowBytes));
  memory.write(firmwareRom.lowEnd - low.length, low);
  return ok(undefined);
}

/** @param serialConsolePort of the UART that stands in for the screen */
export function firmwareFiles(
  memory: GuestMemory,
  board: AcpiBoard,
  smbios: SmbiosMachine,
  serialConsolePort: number,
): FirmwareFile[] {
  const tables = buildSmbiosTable(smbios);
  const port = new Uint8Array(2);
  new DataView(port.buffer).setUint16(0, serialConsolePort, true);
  return [
    { name: firmwareFile.e820, bytes: buildE820(memory) },
    { name: firmwareFile.smbiosAnchor, bytes: buildSmbiosEntryPoint(0, tables.length) },
    { name: firmwareFile.smbiosTables, bytes: tables },
    { name: firmwareFile.serialConsolePort, bytes: port },
    ...buildAcpiFiles(board),
  ];
}

/** RAM as it is plugged in; what of it the guest may use is for the firmware to say. */
function buildE820(memory: GuestMemory): Uint8Array {
  const high = memory.size - memory.lowSize;
  const ram = [{ start: 0, length: memory.lowSize }, ...(high > 0 ? [{ start: pcMemory.fourGib, length: high }] : [])];
  const view = new DataView(new ArrayBuffer(ram.length * firmwareE820Bytes));
  for (const [i, { start, length }] of ram.entries()) {
    const at = i * firmwareE820Bytes;
    view.setBigUint64(at, BigInt(start), true);
    view.setBigUint64(at + 8, BigInt(length), true);
    view.setUint32(at + 16, e820Type.ram, true);
  }
  return new Uint8Array(view.buffer);
}
