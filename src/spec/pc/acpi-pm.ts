/** ACPI fixed hardware as this board lays it out. Source: ACPI Specification 6.5, section 4.8. */
export const acpiPm = {
  /** I/O base of the block; the FADT tells the guest. */
  base: 0x600,
  /** Offsets in the block, and lengths as the FADT gives them. */
  pm1Event: 0x00,
  pm1EventLength: 4,
  pm1Control: 0x04,
  pm1ControlLength: 2,
  timer: 0x08,
  timerLength: 4,
  length: 0x0c,
  /** The interrupt of the SCI, level-triggered. */
  sciIrq: 9,
} as const;

export const acpiPmTimerHz = 3_579_545;

/** PM1 status and enable bits. */
export const pm1 = {
  timer: 0x0001,
  busMaster: 0x0010,
  global: 0x0020,
  powerButton: 0x0100,
  sleepButton: 0x0200,
  rtc: 0x0400,
  wake: 0x8000,
} as const;

export const pm1Control = {
  sciEnable: 0x0001,
  busMasterReload: 0x0002,
  globalRelease: 0x0004,
  sleepTypeShift: 10,
  sleepTypeMask: 0x1c00,
  sleepEnable: 0x2000,
} as const;

/** SLP_TYP of soft-off, which `\_S5` in the DSDT repeats. */
export const sleepTypeS5 = 5;
