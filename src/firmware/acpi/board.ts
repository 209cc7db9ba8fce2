/** What the ACPI tables have to know of the machine; the rest is the same on every board (see `spec/pc`). */
export interface AcpiBoard {
  /** APIC IDs of the processors; the index is the ACPI processor UID. */
  readonly apicIds: readonly number[];
  readonly ioApicId: number;
  readonly hpet: AcpiHpet | undefined;
  readonly pci: AcpiPci | undefined;
  readonly serialPorts: readonly AcpiSerialPort[];
  /** Whether fw_cfg is there, at its usual ports. */
  readonly fwCfg: boolean;
  /** Width of the PM timer. */
  readonly pmTimerBits: 24 | 32;
  /** Whether a VGA-compatible display is there. */
  readonly vga: boolean;
}

export interface AcpiHpet {
  readonly address: number;
  /** Low half of the capabilities register: vendor, number of timers, revision. */
  readonly eventTimerBlockId: number;
}

export interface AcpiPci {
  /** Memory that is passed on to PCI, besides the video memory. */
  readonly memoryWindows: readonly { readonly start: number; readonly length: number }[];
  /** I/O APIC pins of the INTx lines: pin p (0…3) of device d goes to entry (d + p) modulo their number. */
  readonly intxGsis: readonly number[];
}

interface AcpiSerialPort {
  readonly port: number;
  readonly irq: number;
}
