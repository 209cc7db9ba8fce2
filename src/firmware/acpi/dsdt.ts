/** The differentiated system description: devices that software cannot find by itself. */
import { acpiId, pnpId } from '../../spec/acpi/aml.ts';
import { legacyResources as legacy, presentNotShown } from '../../spec/acpi/legacy-devices.ts';
import { sleepTypeS5 } from '../../spec/pc/acpi-pm.ts';
import { pcMemory } from '../../spec/pc/e820.ts';
import { fwCfgPort } from '../../spec/pc/fw-cfg.ts';
import { i8042Port } from '../../spec/pc/i8042.ts';
import { rtcPort } from '../../spec/pc/rtc.ts';
import { type Aml, device, eisaId, integer, name, packageOf, scope, string } from './aml.ts';
import type { AcpiBoard, AcpiPci } from './board.ts';
import { busRange, io, ioWindow, irq, memory32, memoryWindow, resourceTemplate } from './resources.ts';

/** The body of the DSDT, without its header. */
export function dsdtBody(board: AcpiBoard): Uint8Array {
  const system = [...processors(board.apicIds), ...hpet(board), ...fwCfg(board), ...pci(board), ...isaDevices(board)];
  const softOff = packageOf(integer(sleepTypeS5), integer(sleepTypeS5), integer(0), integer(0));
  return Uint8Array.from([...scope('\\_SB', ...system), ...name('\\_S5', softOff)]);
}

function processors(apicIds: readonly number[]): Aml[] {
  return apicIds.map((_, uid) => {
    const label = `C${uid.toString(16).toUpperCase().padStart(3, '0')}`;
    return device(label, name('_HID', string(acpiId.processor)), name('_UID', integer(uid)));
  });
}

function hpet(board: AcpiBoard): Aml[] {
  if (board.hpet === undefined) return [];
  const resources = resourceTemplate(memory32(board.hpet.address, legacy.hpetBytes, false));
  return [device('HPET', name('_HID', eisaId(pnpId.hpet)), name('_UID', integer(0)), name('_CRS', resources))];
}

function fwCfg(board: AcpiBoard): Aml[] {
  if (!board.fwCfg) return [];
  return [
    device(
      'FWCF',
      name('_HID', string(acpiId.fwCfg)),
      name('_STA', integer(presentNotShown)),
      name('_CRS', resourceTemplate(io(fwCfgPort.selector, legacy.fwCfgPortCount))),
    ),
  ];
}

function pci(board: AcpiBoard): Aml[] {
  if (board.pci === undefined) return [];
  const first = legacy.pciConfigFirst;
  const last = legacy.pciConfigLast;
  const video = memoryWindow(pcMemory.videoMemory, legacy.videoMemoryBytes, true);
  const resources = resourceTemplate(
    busRange(0, 0xff),
    io(first, last - first + 1),
    ioWindow(0, first - 1),
    ioWindow(last + 1, 0xffff),
    video,
    ...board.pci.memoryWindows.map(({ start, length }) => memoryWindow(start, length)),
  );
  return [
    device(
      'PCI0',
      name('_HID', eisaId(pnpId.pciRootBridge)),
      name('_UID', integer(0)),
      name('_BBN', integer(0)),
      name('_CRS', resources),
      name('_PRT', interruptRouting(board.pci)),
    ),
  ];
}

/** Hard-wired: each entry is {device << 16 | 0xFFFF, pin, no link device, I/O APIC pin}. ACPI Specification 6.3, 6.2.13. */
function interruptRouting({ intxGsis }: AcpiPci): number[] {
  const entries: Aml[] = [];
  for (let slot = 0; slot < legacy.pciSlots; slot++) {
    for (let pin = 0; pin < legacy.pinsPerPciDevice; pin++) {
      const gsi = intxGsis[(slot + pin) % intxGsis.length] ?? 0;
      entries.push(packageOf(integer(slot * 0x1_0000 + 0xffff), integer(pin), integer(0), integer(gsi)));
    }
  }
  return packageOf(...entries);
}

function isaDevices(board: AcpiBoard): Aml[] {
  const isa = (label: string, id: string, ...resources: readonly Aml[]): Aml =>
    device(label, name('_HID', eisaId(id)), name('_CRS', resourceTemplate(...resources)));
  const serial = board.serialPorts.map(({ port, irq: line }, index) =>
    device(
      `COM${index + 1}`,
      name('_HID', eisaId(pnpId.serialPort)),
      name('_UID', integer(index + 1)),
      name('_CRS', resourceTemplate(io(port, legacy.serialPortCount), irq(line))),
    ),
  );
  return [
    isa('RTC', pnpId.rtc, io(rtcPort.index, 2), irq(legacy.rtcIrq)),
    isa('KBD', pnpId.keyboard, io(i8042Port.data, 1), io(i8042Port.command, 1), irq(legacy.keyboardIrq)),
    isa('MOU', pnpId.mouse, irq(legacy.mouseIrq)),
    ...serial,
  ];
}
