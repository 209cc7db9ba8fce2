/**
 * Runs one virtio device on the I/O thread: starts it when the driver is up, hands it the doorbells, stops it for a
 * reset, and sends back what the registers have to show.
 */
import type { GuestMemory } from '../../memory/guest-memory.ts';
import type { Attention, Mailbox } from './mailbox.ts';
import { event, request } from './mailbox.ts';
import type { VirtioDevice, VirtioTransport } from './virtio-device.ts';
import { type QueuePort, Virtqueue } from './virtqueue.ts';

/** What a session asks of the I/O side as a whole. */
export interface SessionPort {
  readonly memory: GuestMemory;
  /** Makes the machine's thread look at the devices that have asked for it. */
  wakeMachine(): void;
  dropCode: QueuePort['dropCode'];
  /** `settle` of this session is to be called a little later. */
  unsettled(): void;
  /** A driver broke the rules; for people who debug one. */
  report(reason: string): void;
  /** The device threw, which none may. */
  crashed(error: unknown): void;
}

export class DeviceSession {
  readonly #device: VirtioDevice;
  readonly #number: number;
  readonly #mailbox: Mailbox;
  readonly #machine: Attention;
  readonly #port: SessionPort;
  #queues: (Virtqueue | undefined)[] = [];
  #running = false;
  /** A stop that is under way; a driver may be back before it is over. */
  #stopping: Promise<void> | undefined;

  /** @param machine the attention that the device's number is noted in for the machine's thread */
  constructor(device: VirtioDevice, number: number, mailbox: Mailbox, machine: Attention, port: SessionPort) {
    this.#device = device;
    this.#number = number;
    this.#mailbox = mailbox;
    this.#machine = machine;
    this.#port = port;
    device.attach(this.#transport());
  }

  /** Does what the registers have asked for. */
  serve(): void {
    const requests = this.#mailbox.takeRequests();
    if ((requests & request.reset) !== 0) this.#reset();
    else if ((requests & request.start) !== 0) this.#start();
    if (!this.#running) return;
    if ((requests & request.config) !== 0) this.#device.configWritten?.();
    for (const queue of this.#mailbox.takeDoorbells()) this.#notify(queue);
  }

  /** Looks again at queues that were left a moment ago. */
  settle(): void {
    for (const queue of this.#queues) if (queue?.settle() === true) this.#notify(queue.index);
  }

  /** Ends the device's work for good or until the next start. */
  stop(): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping;
    if (!this.#running) return Promise.resolve();
    this.#running = false;
    this.#stopQueues();
    this.#stopping = this.#device.stop().finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  #transport(): VirtioTransport {
    return {
      memory: this.#port.memory,
      readConfig: () => new Uint8Array(this.#mailbox.config),
      updateConfig: (offset, bytes) => {
        this.#mailbox.changeConfig(offset, bytes);
        if (this.#running) this.#tell(event.config);
      },
      wrote: (offset, length) => {
        const code = this.#port.memory.publishWrite(offset, length);
        if (code.length > 0) this.#port.dropCode(code, () => {});
      },
      watch: (task) => void task.catch((error: unknown) => this.#port.crashed(error)),
      fail: (reason) => this.#fail(reason),
    };
  }

  #start(): void {
    if (this.#running || this.#mailbox.needsReset) return;
    const { features } = this.#mailbox;
    this.#queues = [];
    for (let index = 0; index < this.#device.description.queueSizes.length; index++) {
      const layout = this.#mailbox.queue(index);
      if (layout === undefined) continue;
      const queue = Virtqueue.open(index, layout, features, this.#port.memory, this.#queuePort(index));
      if (!queue.ok) {
        this.#fail(queue.error.message);
        return;
      }
      this.#queues[index] = queue.value;
    }
    this.#running = true;
    this.#device.start(this.#queues, features);
  }

  #queuePort(index: number): QueuePort {
    return {
      interrupt: () => {
        this.#mailbox.noteUsed(index);
        this.#wake();
      },
      fail: (reason) => this.#fail(reason),
      dropCode: (places, done) => this.#port.dropCode(places, done),
      unsettled: () => this.#port.unsettled(),
    };
  }

  #notify(queue: number): void {
    if (this.#running && this.#queues[queue] !== undefined) this.#device.notify(queue);
  }

  #reset(): void {
    void this.stop().then(() => {
      this.#queues = [];
      this.#mailbox.takeDoorbells();
      this.#mailbox.takeUsed();
      this.#mailbox.takeEvents();
      this.#mailbox.needsReset = false;
      this.#mailbox.resetting = false;
    });
  }

  #stopQueues(): void {
    for (const queue of this.#queues) queue?.stop();
  }

  #fail(reason: string): void {
    if (this.#mailbox.needsReset) return;
    this.#port.report(reason);
    this.#stopQueues();
    this.#mailbox.needsReset = true;
    this.#tell(event.config);
  }

  #tell(what: number): void {
    this.#mailbox.addEvents(what);
    this.#wake();
  }

  #wake(): void {
    if (this.#machine.ask(this.#number)) this.#port.wakeMachine();
  }
}
