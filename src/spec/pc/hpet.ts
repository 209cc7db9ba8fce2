/** High precision event timers. Source: IA-PC HPET Specification 1.0a. */
export const hpetMmio = { base: 0xfed0_0000, length: 0x400 } as const;

/** 10 ns: the main counter runs at 100 MHz. */
export const hpetPeriodFs = 10_000_000;
export const hpetPeriodNs = 10;

export const hpetTimerCount = 3;

/** Low doublewords; the high ones follow at +4. */
export const hpetRegister = {
  capabilities: 0x000,
  configuration: 0x010,
  interruptStatus: 0x020,
  mainCounter: 0x0f0,
  /** Timer n at `timers + n * timerStride`. */
  timers: 0x100,
  timerStride: 0x20,
  timerConfiguration: 0x00,
  timerComparator: 0x08,
} as const;

/** Low doubleword of the capabilities: revision 1, 64-bit counter, legacy replacement, Intel. */
export const hpetCapabilities = {
  revision: 0x01,
  timerCountShift: 8,
  counter64: 0x2000,
  legacyReplacement: 0x8000,
  vendorShift: 16,
  vendor: 0x8086,
} as const;

export const hpetConfiguration = { enable: 0x01, legacyReplacement: 0x02 } as const;

/** Tn_CONF; the high doubleword has a bit for every IOAPIC input that the timer may be routed to. */
export const hpetTimer = {
  level: 0x0002,
  interruptEnable: 0x0004,
  periodic: 0x0008,
  periodicCapable: 0x0010,
  size64: 0x0020,
  valueSet: 0x0040,
  mode32: 0x0100,
  routeShift: 9,
  routeMask: 0x3e00,
} as const;

/** The IOAPIC inputs that the timers of this board may use, besides legacy replacement: 20 to 23. */
export const hpetRoutes = 0x00f0_0000;
