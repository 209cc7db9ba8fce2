/** The virtio console device. Source: VIRTIO Version 1.2, section 5.3. */

/** Section 5.3.3. */
export const consoleFeature = { multiport: 1n << 1n } as const;

/** Section 5.3.4. */
export const consoleConfig = { maxPorts: 4, size: 12 } as const;

/** Queues of port 0, and of the control messages. Section 5.3.2. */
export const consoleQueue = { receive: 0, transmit: 1, controlReceive: 2, controlTransmit: 3, second: 4 } as const;

/** A control message. Section 5.3.6.2. */
export const consoleControl = { id: 0, event: 4, value: 6, size: 8 } as const;

export const consoleEvent = {
  deviceReady: 0,
  portAdd: 1,
  portReady: 3,
  consolePort: 4,
  portOpen: 6,
  portName: 7,
} as const;

/** PCI class: simple communication controller, other. */
export const consoleClass = 0x07_80_00;
