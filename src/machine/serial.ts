/** Moves bytes between the guest's serial ports and the host, in pieces, between slices of guest execution. */
import type { Uart16550 } from '../devices/serial/uart-16550.ts';
import type { MachineHost, SerialPort } from './config.ts';

const ports: readonly SerialPort[] = [0, 1];
const bufferBytes = 4096;

interface Outgoing {
  readonly bytes: Uint8Array;
  length: number;
}

export class SerialPump {
  readonly #host: MachineHost;
  readonly #outgoing: readonly Outgoing[];

  constructor(host: MachineHost) {
    this.#host = host;
    this.#outgoing = ports.map(() => ({ bytes: new Uint8Array(bufferBytes), length: 0 }));
  }

  /** A byte from the guest. A guest that sends without end waits for the host here. */
  transmit(port: SerialPort, byte: number): void {
    const outgoing = this.#outgoing[port] as Outgoing;
    outgoing.bytes[outgoing.length++] = byte;
    if (outgoing.length === bufferBytes) this.#flushPort(port);
  }

  /** Hands over what the guest has sent. */
  flush(): void {
    for (const port of ports) this.#flushPort(port);
  }

  /** Feeds what the host has, as far as the ports take it. @returns whether there was anything */
  feed(uarts: readonly [Uart16550, Uart16550]): boolean {
    let fed = false;
    for (const port of ports) {
      const uart = uarts[port];
      while (uart.canReceive()) {
        const byte = this.#host.serialInput(port);
        if (byte < 0) break;
        uart.receive(byte);
        fed = true;
      }
    }
    return fed;
  }

  #flushPort(port: SerialPort): void {
    const outgoing = this.#outgoing[port] as Outgoing;
    if (outgoing.length === 0) return;
    this.#host.serialOutput(port, outgoing.bytes.subarray(0, outgoing.length));
    outgoing.length = 0;
  }
}
