/** virtio-console: terminals (hvc0 …) and named byte streams between guest and host. VIRTIO 1.2 5.3. */
import {
  consoleClass,
  consoleConfig,
  consoleControl,
  consoleEvent,
  consoleFeature,
  consoleQueue,
} from '../../spec/virtio/console.ts';
import { virtioDeviceId } from '../../spec/virtio/virtio.ts';
import { ConsolePort, type PortOptions } from './console-port.ts';
import type { VirtioDescription, VirtioDevice, VirtioTransport } from './virtio-device.ts';
import type { Virtqueue } from './virtqueue.ts';

const queueSize = 64;
/** More than a driver leaves lying that takes any. */
const maxMessages = 1024;

export class VirtioConsole implements VirtioDevice {
  readonly description: VirtioDescription;
  readonly #ports: readonly ConsolePort[];
  #queues: readonly (Virtqueue | undefined)[] = [];
  /** Control messages that wait for a buffer. */
  readonly #messages: Uint8Array[] = [];
  /** Ports that the driver has set up; nothing is said of the others. */
  readonly #ready = new Set<number>();
  #transport: VirtioTransport | undefined;

  /** @param ports at most 31; drivers that know one port only use the first */
  constructor(ports: readonly PortOptions[]) {
    this.#ports = ports.map((options) => new ConsolePort(options));
    const config = new DataView(new ArrayBuffer(consoleConfig.size));
    config.setUint32(consoleConfig.maxPorts, ports.length, true);
    this.description = {
      deviceId: virtioDeviceId.console,
      classCode: consoleClass,
      features: consoleFeature.multiport,
      queueSizes: new Array<number>(2 * (ports.length + 1)).fill(queueSize),
      config: new Uint8Array(config.buffer),
    };
  }

  /** Resolves when the guest's buffers hold all of `bytes`; with false if the driver went away before. */
  send(port: number, bytes: Uint8Array): Promise<boolean> {
    return this.#ports[port]?.send(bytes) ?? Promise.resolve(false);
  }

  /** Tells the guest whether somebody on the host is at the other end. */
  setHostOpen(number: number, open: boolean): void {
    const port = this.#ports[number];
    if (port === undefined || port.hostOpen === open) return;
    port.hostOpen = open;
    if (this.#ready.has(number)) this.#tell(number, consoleEvent.portOpen, open ? 1 : 0);
  }

  attach(transport: VirtioTransport): void {
    this.#transport = transport;
  }

  start(queues: readonly (Virtqueue | undefined)[], features: bigint): void {
    this.#queues = queues;
    const multiport = (features & consoleFeature.multiport) !== 0n;
    this.#ports.forEach((port, number) => {
      const { receive, transmit } = queuesOf(number);
      if (number === 0 || multiport) port.start(queues[receive], queues[transmit]);
      // Without control messages nobody says that the guest is there.
      if (number === 0 && !multiport) port.setGuestOpen(true);
    });
  }

  notify(queue: number): void {
    if (queue === consoleQueue.controlReceive) this.#sendMessages();
    else if (queue === consoleQueue.controlTransmit) this.#takeMessages();
    else {
      const number = queue < consoleQueue.controlReceive ? 0 : ((queue - consoleQueue.second) >> 1) + 1;
      const port = this.#ports[number];
      if (queue % 2 === 0) port?.feed();
      else if (port !== undefined) this.#transport?.watch(port.transmit());
    }
  }

  /** Copies alone are under way: nothing touches RAM after this. */
  stop(): Promise<void> {
    this.#queues = [];
    this.#messages.length = 0;
    this.#ready.clear();
    for (const port of this.#ports) port.stop();
    return Promise.resolve();
  }

  #takeMessages(): void {
    const queue = this.#queues[consoleQueue.controlTransmit];
    for (let chain = queue?.take(); chain !== undefined; chain = queue?.take()) {
      const message = new DataView(chain.readable.copy(0, consoleControl.size).buffer);
      chain.complete(0);
      if (message.byteLength < consoleControl.size) continue;
      const id = message.getUint32(consoleControl.id, true);
      const value = message.getUint16(consoleControl.value, true);
      this.#obey(message.getUint16(consoleControl.event, true), id, value);
    }
  }

  #obey(event: number, id: number, value: number): void {
    if (event === consoleEvent.deviceReady) {
      if (value === 1) for (const number of this.#ports.keys()) this.#tell(number, consoleEvent.portAdd, 0);
      return;
    }
    const port = this.#ports[id];
    if (port === undefined) return;
    if (event === consoleEvent.portOpen) port.setGuestOpen(value === 1);
    if (event !== consoleEvent.portReady || value !== 1 || this.#ready.has(id)) return;
    this.#ready.add(id);
    const { name, console } = port.options;
    if (console) this.#tell(id, consoleEvent.consolePort, 1);
    if (name !== '') this.#tell(id, consoleEvent.portName, 1, name);
    if (port.hostOpen) this.#tell(id, consoleEvent.portOpen, 1);
  }

  #tell(id: number, event: number, value: number, text = ''): void {
    if (this.#messages.length === maxMessages) {
      this.#transport?.fail('control messages that nobody takes');
      return;
    }
    const message = new DataView(new ArrayBuffer(consoleControl.size + text.length));
    message.setUint32(consoleControl.id, id, true);
    message.setUint16(consoleControl.event, event, true);
    message.setUint16(consoleControl.value, value, true);
    for (let n = 0; n < text.length; n++) message.setUint8(consoleControl.size + n, text.charCodeAt(n));
    this.#messages.push(new Uint8Array(message.buffer));
    this.#sendMessages();
  }

  #sendMessages(): void {
    const queue = this.#queues[consoleQueue.controlReceive];
    for (let next = this.#messages[0]; next !== undefined; next = this.#messages[0]) {
      const chain = queue?.take();
      if (chain === undefined) return;
      this.#messages.shift();
      chain.complete(chain.writable.write(0, next));
    }
  }
}

function queuesOf(port: number): { receive: number; transmit: number } {
  if (port === 0) return consoleQueue;
  const receive = consoleQueue.second + 2 * (port - 1);
  return { receive, transmit: receive + 1 };
}
