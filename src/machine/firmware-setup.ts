/** What firmware does to a board before it hands over; this machine starts kernels without running any. */
import type { PortBus } from '../device-model/port-io.ts';
import { enableVirtualWire } from '../devices/apic/virtual-wire.ts';
import { type PciHost, pirqOf } from '../devices/pci/pci-host.ts';
import { acpiPm } from '../spec/pc/acpi-pm.ts';
import { pciMemoryWindow } from '../spec/pc/memory-holes.ts';
import { pciCommand, pciConfig } from '../spec/pc/pci.ts';
import { icw1, icw4, picCascadeInput, picPort } from '../spec/pc/pic.ts';
import type { Board } from './board.ts';

/** First vectors of the two 8259s as a PC BIOS programs them. IBM PC/AT Technical Reference. */
const biosVector = { master: 0x08, slave: 0x70 } as const;

/** ISA interrupts of PIRQA to PIRQD, for guests that do not use the I/O APIC. */
const pirqRoutes = [10, 10, 11, 11] as const;

/** Interrupt controllers initialised and masked, level-triggered inputs declared, virtual wire mode, PCI functions placed. */
export function setUpBoard(board: Board): void {
  setUpPic(board.ports);
  board.isaBridge.programRoutes(pirqRoutes);
  enableVirtualWire(board.localApic);
  placePciFunctions(board.pciHost);
}

/** Gives memory regions their addresses and interrupt pins the number of the ISA interrupt that they are routed to. */
function placePciFunctions(host: PciHost): void {
  let next: number = pciMemoryWindow.start;
  for (const [device, pciFunction] of host.functions()) {
    for (const { bar, size } of pciFunction.regions) {
      const base = Math.ceil(next / size) * size;
      pciFunction.writeConfig(pciConfig.bar0 + 4 * bar, 4, base);
      next = base + size;
    }
    if (pciFunction.regions.length > 0) pciFunction.writeConfig(pciConfig.command, 2, pciCommand.memory);
    const pin = pciFunction.readConfig(pciConfig.interruptPin, 1);
    const irq = pirqRoutes[pirqOf(device, pin)];
    if (pin > 0 && irq !== undefined) pciFunction.writeConfig(pciConfig.interruptLine, 1, irq);
  }
}

function setUpPic(ports: PortBus): void {
  const initialise = (command: number, data: number, vector: number, cascade: number, mask: number): void => {
    ports.write(command, 1, icw1.init | icw1.needIcw4);
    ports.write(data, 1, vector);
    ports.write(data, 1, cascade);
    ports.write(data, 1, icw4.mode8086);
    ports.write(data, 1, mask);
  };
  const cascadeBit = 1 << picCascadeInput;
  initialise(picPort.masterCommand, picPort.masterData, biosVector.master, cascadeBit, 0xff & ~cascadeBit);
  initialise(picPort.slaveCommand, picPort.slaveData, biosVector.slave, picCascadeInput, 0xff);
  const level = new Set([acpiPm.sciIrq, ...pirqRoutes]);
  const bits = [...level].reduce((sum, irq) => sum | (1 << irq), 0);
  ports.write(picPort.elcrMaster, 1, bits & 0xff);
  ports.write(picPort.elcrSlave, 1, bits >> 8);
}
