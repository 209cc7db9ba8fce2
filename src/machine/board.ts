/** The PC board: its devices, and the wires between them. */
import type { Device } from '../device-model/device.ts';
import type { IrqLine, MsiTarget } from '../device-model/interrupt.ts';
import { MmioBus } from '../device-model/mmio.ts';
import { PortBus } from '../device-model/port-io.ts';
import type { TimerService } from '../device-model/time.ts';
import { ApicBus } from '../devices/apic/apic-bus.ts';
import type { ApicBox } from '../devices/apic/apic-mail.ts';
import { IoApic } from '../devices/apic/io-apic.ts';
import { LocalApic } from '../devices/apic/local-apic.ts';
import { type ApicThread, connectApics } from '../devices/apic/remote-apic.ts';
import { AcpiPm } from '../devices/chipset/acpi-pm.ts';
import { DebugExit } from '../devices/chipset/debug-exit.ts';
import { Dma8237 } from '../devices/chipset/dma-8237.ts';
import { FwCfg } from '../devices/chipset/fw-cfg.ts';
import { Hpet } from '../devices/chipset/hpet.ts';
import { IrqSwitch } from '../devices/chipset/irq-switch.ts';
import { Pic } from '../devices/chipset/pic.ts';
import { Pit } from '../devices/chipset/pit.ts';
import { PostPort } from '../devices/chipset/post-port.ts';
import { ResetControl } from '../devices/chipset/reset-control.ts';
import { Rom } from '../devices/chipset/rom.ts';
import { Rtc } from '../devices/chipset/rtc.ts';
import { SystemControlA } from '../devices/chipset/system-control-a.ts';
import { WiredOr } from '../devices/chipset/wired-or.ts';
import { I8042 } from '../devices/input/i8042.ts';
import { IsaBridge } from '../devices/pci/isa-bridge.ts';
import { PciHost } from '../devices/pci/pci-host.ts';
import { Uart16550 } from '../devices/serial/uart-16550.ts';
import { Attention, openMailbox } from '../devices/virtio/mailbox.ts';
import type { VirtioDescription } from '../devices/virtio/virtio-device.ts';
import { VirtioPci } from '../devices/virtio/virtio-pci.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import { acpiPm } from '../spec/pc/acpi-pm.ts';
import { firmwareRom } from '../spec/pc/firmware-files.ts';
import { ioApicInput, isaIrq } from '../spec/pc/isa-irq.ts';
import { picCascadeInput } from '../spec/pc/pic.ts';
import { uartBase } from '../spec/pc/uart.ts';
import { ioApic } from '../spec/x86/apic.ts';
import { physicalAddressBits } from '../spec/x86/paging.ts';
import type { EndRequest, SerialPort } from './config.ts';
import type { ProcessorPins } from './interrupts.ts';
import { pciMemoryWindow } from './pci-window.ts';
import { ProcessorMmio } from './processor-mmio.ts';

export interface BoardWiring {
  readonly memory: GuestMemory;
  readonly timers: TimerService;
  readonly wallClockMs: () => number;
  readonly processor: ProcessorPins;
  /** A byte that the guest sends. */
  readonly transmit: (port: SerialPort, byte: number) => void;
  /** The guest can take serial input again. Called inside a guest access. */
  readonly receiveReady: () => void;
  /** Called inside a guest access. */
  readonly requestEnd: (request: EndRequest) => void;
  readonly debugExit: boolean;
  readonly virtio: VirtioWiring;
  /** The threads of all processors; the board is on the first one's. */
  readonly apics: ApicThread;
}

/** The virtio devices, in the order of their PCI device numbers. */
export interface VirtioWiring {
  readonly devices: readonly VirtioDescription[];
  readonly mailboxes: SharedArrayBuffer;
  readonly wakeIo: () => void;
}

/** PCI device number of the first virtio device, behind the host bridge and the ISA bridge. */
const firstVirtioSlot = 2;

/** What the firmware tables have to say about this board. */
export const boardFacts = {
  bootApicId: 0,
  ioApicId: 1,
  pmTimerBits: 32,
  serialPorts: [
    { port: uartBase.com1, irq: isaIrq.com1 },
    { port: uartBase.com2, irq: isaIrq.com2 },
  ],
} as const;

const pirqs = [0, 1, 2, 3] as const;

/** One wire to two places. */
function both(first: IrqLine, second: IrqLine): IrqLine {
  return {
    set: (level) => {
      first.set(level);
      second.set(level);
    },
  };
}

export class Board {
  readonly ports = new PortBus();
  readonly localApic: LocalApic;
  /** Memory-mapped I/O as the boot processor sees it. */
  readonly processorMmio: ProcessorMmio;
  readonly hpet: Hpet;
  readonly fwCfg: FwCfg;
  readonly isaBridge: IsaBridge;
  readonly serial: readonly [Uart16550, Uart16550];
  readonly virtio: readonly VirtioPci[];
  readonly pciHost: PciHost;
  readonly #wiring: BoardWiring;
  /** The board's devices, without the processors' local APICs. */
  readonly mmio = new MmioBus();
  readonly #pic: Pic;
  readonly #pm: AcpiPm;
  readonly #ioApic: IoApic;
  readonly #isaIrqs: readonly WiredOr[];
  /** Everything with a state that the guest sees, by its name in a saved machine. */
  readonly #devices: Readonly<Record<string, Device<unknown>>>;

  constructor(wiring: BoardWiring) {
    this.#wiring = wiring;
    const bus = new ApicBus();
    this.localApic = this.#createLocalApic(bus);
    this.processorMmio = new ProcessorMmio(this.mmio, this.localApic);
    this.#ioApic = new IoApic(bus, boardFacts.ioApicId);
    this.mmio.map(ioApic.defaultAddress, ioApic.pageBytes, this.#ioApic);
    this.#pic = new Pic(both(this.localApic.lint0, this.#ioApic.irq(ioApicInput.pic)));
    this.#pic.attach(this.ports);
    this.#isaIrqs = Array.from({ length: isaIrq.count }, (_, irq) => new WiredOr(this.#isaLine(irq)));
    const [pit, rtc, hpet] = this.#createTimers();
    this.hpet = hpet;
    this.#pm = this.#createPowerManagement();
    this.serial = [this.#createUart(0), this.#createUart(1)];
    this.fwCfg = new FwCfg(wiring.memory);
    this.fwCfg.attach(this.ports);
    this.isaBridge = new IsaBridge((irq) => this.#isaInput(irq));
    this.pciHost = this.#createPciHost();
    this.virtio = this.#createVirtio(bus);
    this.#devices = {
      localApic: this.localApic,
      ioApic: this.#ioApic,
      pic: this.#pic,
      pit,
      rtc,
      hpet,
      com1: this.serial[0],
      com2: this.serial[1],
      isaBridge: this.isaBridge,
      fwCfg: this.fwCfg,
      pciHost: this.pciHost,
      acpiPm: this.#pm,
      ...this.#createResetDevices(),
      ...this.#createInput(),
      ...this.#createPlainDevices(),
    };
    this.reset();
  }

  /** The user presses the power button; the guest may power off then, or ignore it. */
  pressPowerButton(): void {
    this.#pm.pressPowerButton();
  }

  /** RESET of the whole board. */
  reset(): void {
    for (const device of [...Object.values(this.#devices), ...this.virtio]) device.reset();
  }

  /** Plugs firmware in, at the end of the first 4 GiB. */
  insertRom(image: Uint8Array): void {
    this.mmio.map(firmwareRom.end - image.length, image.length, new Rom(image));
  }

  #createLocalApic(bus: ApicBus): LocalApic {
    return connectApics(bus, this.#wiring.apics, (box) => this.#createOwnApic(bus, box));
  }

  #createOwnApic(bus: ApicBus, box: ApicBox | undefined): LocalApic {
    const { processor, timers, requestEnd } = this.#wiring;
    return new LocalApic({
      id: boardFacts.bootApicId,
      box,
      bootstrapProcessor: true,
      physicalAddressBits,
      bus,
      timers,
      tscToNs: (tsc) => processor.tscToNs(tsc),
      processor: {
        changed: () => processor.interruptChanged(),
        nmi: () => processor.nmi(),
        // The boot processor would start at the firmware's reset vector, which resets the machine.
        init: () => requestEnd({ kind: 'reset' }),
        // Only a processor that waits for it takes a start-up message; the boot processor never waits.
        startUp: () => {},
        externalVector: () => this.#pic.acknowledge(),
        mmioMoved: () => this.processorMmio.apicMoved(),
      },
    });
  }

  /** ISA interrupts reach the 8259 pair and the I/O APIC; the guest masks them at one of the two. */
  #isaLine(irq: number): IrqLine {
    if (irq === picCascadeInput) return { set: () => {} };
    const input = irq === isaIrq.timer ? ioApicInput.timer : irq;
    return both(this.#pic.irq(irq), this.#ioApic.irq(input));
  }

  /** A further source of an ISA interrupt. */
  #isaInput(irq: number): IrqLine {
    return (this.#isaIrqs[irq] as WiredOr).input();
  }

  #createTimers(): [Pit, Rtc, Hpet] {
    const { timers, wallClockMs, memory } = this.#wiring;
    const irq0 = new IrqSwitch(this.#isaInput(isaIrq.timer));
    const irq8 = new IrqSwitch(this.#isaInput(isaIrq.rtc));
    const pit = new Pit(timers, irq0.normal);
    pit.attach(this.ports);
    const sizes = { low: memory.lowSize, high: memory.size - memory.lowSize };
    // Nothing on this board raises the NMI that port 70h masks.
    const rtc = new Rtc({ timers, wallClockMs, irq8: irq8.normal, nmiMask: () => {} }, sizes);
    rtc.attach(this.ports);
    const hpet = new Hpet({
      timers,
      irq0: irq0.replacement,
      irq8: irq8.replacement,
      legacyReplacement: (active) => {
        irq0.replace(active);
        irq8.replace(active);
      },
      ioApicInput: (input) => this.#ioApic.irq(input),
    });
    hpet.attach(this.mmio);
    return [pit, rtc, hpet];
  }

  #createUart(port: SerialPort): Uart16550 {
    const { timers, transmit, receiveReady } = this.#wiring;
    const { port: base, irq } = boardFacts.serialPorts[port];
    const uart = new Uart16550(`com${port + 1}`, {
      timers,
      irq: this.#isaInput(irq),
      transmit: (byte) => transmit(port, byte),
      receiveReady,
    });
    uart.attach(this.ports, base);
    return uart;
  }

  /** A PIRQ reaches its I/O APIC input directly, and an ISA interrupt through the bridge's routing. */
  #createPciHost(): PciHost {
    const [a, b, c, d] = pirqs.map((pirq) =>
      both(this.isaBridge.pirq(pirq), this.#ioApic.irq(ioApicInput.firstPirq + pirq)),
    ) as [IrqLine, IrqLine, IrqLine, IrqLine];
    const host = new PciHost([a, b, c, d]);
    host.attach(this.ports);
    const window = pciMemoryWindow(this.#wiring.memory);
    host.attachMemoryWindow(this.mmio, window.start, window.length);
    host.add(1, 0, this.isaBridge.pciFunction);
    return host;
  }

  #createVirtio(msi: MsiTarget): VirtioPci[] {
    const { devices, mailboxes, wakeIo } = this.#wiring.virtio;
    const attention = new Attention(mailboxes, 'io');
    return devices.map((description, number) => {
      const slot = firstVirtioSlot + number;
      const device = new VirtioPci(description, {
        mailbox: openMailbox(mailboxes, devices, number),
        irq: this.pciHost.interruptLine(slot, 1),
        msi,
        wakeIo: () => {
          if (attention.ask(number)) wakeIo();
        },
      });
      this.pciHost.add(slot, 0, device.pciFunction);
      return device;
    });
  }

  #createPowerManagement(): AcpiPm {
    const { timers, requestEnd } = this.#wiring;
    const pm = new AcpiPm(
      { timers, sci: this.#isaInput(acpiPm.sciIrq), powerOff: () => requestEnd({ kind: 'power-off' }) },
      boardFacts.pmTimerBits,
    );
    pm.attach(this.ports);
    return pm;
  }

  #createResetDevices(): Record<string, Device<unknown>> {
    const { requestEnd, debugExit } = this.#wiring;
    const resetControl = new ResetControl(() => requestEnd({ kind: 'reset' }));
    resetControl.attach(this.ports);
    if (debugExit) new DebugExit((value) => requestEnd({ kind: 'debug-exit', value })).attach(this.ports);
    return { resetControl };
  }

  /** The keyboard controller and port 92h, which share the A20 gate. */
  #createInput(): Record<string, Device<unknown>> {
    const { processor, requestEnd } = this.#wiring;
    const requestReset = (): void => requestEnd({ kind: 'reset' });
    const a20 = new WiredOr({ set: (open) => processor.setA20(open) });
    const i8042 = new I8042({
      irq1: this.#isaInput(isaIrq.keyboard),
      irq12: this.#isaInput(isaIrq.mouse),
      a20: a20.input(),
      requestReset,
    });
    i8042.attach(this.ports);
    const systemControlA = new SystemControlA(a20.input(), requestReset);
    systemControlA.attach(this.ports);
    return { i8042, systemControlA };
  }

  #createPlainDevices(): Record<string, Device<unknown>> {
    const dma = new Dma8237();
    dma.attach(this.ports);
    const postPort = new PostPort();
    postPort.attach(this.ports);
    return { dma, postPort };
  }
}
