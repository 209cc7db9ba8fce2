/**
 * The 8237 pair and its page registers, as registers only: nothing on this board asks for ISA DMA, so no channel ever
 * moves, but kernels reset and program the controllers. Source: Intel 8237A datasheet.
 */
import type { Device } from '../../device-model/device.ts';
import type { PortBus, PortHandler } from '../../device-model/port-io.ts';
import { dmaPort, dmaRegister } from '../../spec/pc/dma.ts';

interface DmaControllerState {
  /** Base and current address and count of channels 0…3, interleaved; without transfers both are equal. */
  registers: number[];
  /** False: the next byte is the low one. */
  flipFlop: boolean;
  command: number;
  modes: number[];
  mask: number;
  request: number;
}

export interface DmaState {
  controllers: DmaControllerState[];
  pages: number[];
}

const masterClear = (registers: number[], modes: number[]): DmaControllerState => ({
  registers,
  flipFlop: false,
  command: 0,
  modes,
  mask: 0x0f,
  request: 0,
});

const powerOn = (): DmaState => ({
  controllers: [0, 1].map(() => masterClear([0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0])),
  pages: Array.from({ length: 16 }, () => 0),
});

export class Dma8237 implements Device<DmaState>, PortHandler {
  readonly portWidth = 1;
  #s = powerOn();

  /** Port 80h, the spare page register, belongs to `PostPort`. */
  attach(ports: PortBus): void {
    ports.map(dmaPort.first, dmaPort.firstLast, this);
    ports.map(dmaPort.second, dmaPort.secondLast, this);
    ports.map(dmaPort.pageFirst, dmaPort.pageLast, this);
  }

  reset(): void {
    this.#s = powerOn();
  }

  save(): DmaState {
    return copyState(this.#s);
  }

  restore(state: DmaState): void {
    this.#s = copyState(state);
  }

  readPort(port: number): number {
    if (port >= dmaPort.pageFirst && port <= dmaPort.pageLast) return this.#s.pages[port & 15] as number;
    const [controller, register] = this.#decode(port);
    if (register < dmaRegister.statusCommand) {
      const value = controller.registers[register] as number;
      controller.flipFlop = !controller.flipFlop;
      return controller.flipFlop ? value & 0xff : value >> 8;
    }
    // Status: software requests pending, no terminal count ever. The temporary register stays empty.
    if (register === dmaRegister.statusCommand) return controller.request << 4;
    return register === dmaRegister.allMask ? 0xf0 | controller.mask : 0;
  }

  writePort(port: number, _size: number, value: number): void {
    if (port >= dmaPort.pageFirst && port <= dmaPort.pageLast) {
      this.#s.pages[port & 15] = value;
      return;
    }
    const [controller, register] = this.#decode(port);
    if (register < dmaRegister.statusCommand) {
      const old = controller.registers[register] as number;
      controller.registers[register] = controller.flipFlop ? (old & 0xff) | (value << 8) : (old & 0xff00) | value;
      controller.flipFlop = !controller.flipFlop;
      return;
    }
    this.#writeControl(controller, register, value);
  }

  /** The second controller sits on even ports, as it moves words. */
  #decode(port: number): [DmaControllerState, number] {
    const second = port >= dmaPort.second;
    const controller = this.#s.controllers[second ? 1 : 0] as DmaControllerState;
    return [controller, second ? (port - dmaPort.second) >> 1 : port];
  }

  #writeControl(controller: DmaControllerState, register: number, value: number): void {
    const bit = 1 << (value & 3);
    switch (register) {
      case dmaRegister.statusCommand:
        controller.command = value;
        break;
      case dmaRegister.request:
        controller.request = (value & 4) !== 0 ? controller.request | bit : controller.request & ~bit;
        break;
      case dmaRegister.singleMask:
        controller.mask = (value & 4) !== 0 ? controller.mask | bit : controller.mask & ~bit;
        break;
      case dmaRegister.mode:
        controller.modes[value & 3] = value >> 2;
        break;
      case dmaRegister.clearFlipFlop:
        controller.flipFlop = false;
        break;
      case dmaRegister.temporaryMasterClear:
        Object.assign(controller, masterClear(controller.registers, controller.modes));
        break;
      case dmaRegister.clearMask:
        controller.mask = 0;
        break;
      default:
        controller.mask = value & 0x0f;
        break;
    }
  }
}

function copyState(state: DmaState): DmaState {
  return {
    controllers: state.controllers.map((c) => ({ ...c, registers: [...c.registers], modes: [...c.modes] })),
    pages: [...state.pages],
  };
}
