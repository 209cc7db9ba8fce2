/** MC146818 real-time clock and CMOS RAM. Source: Motorola MC146818A datasheet; RAM layout: the PC/AT BIOS and its heirs. */
export const rtcPort = { index: 0x70, data: 0x71, nmiMask: 0x80 } as const;

export const rtcRegister = {
  seconds: 0x00,
  secondsAlarm: 0x01,
  minutes: 0x02,
  minutesAlarm: 0x03,
  hours: 0x04,
  hoursAlarm: 0x05,
  dayOfWeek: 0x06,
  dayOfMonth: 0x07,
  month: 0x08,
  year: 0x09,
  a: 0x0a,
  b: 0x0b,
  c: 0x0c,
  d: 0x0d,
  century: 0x32,
} as const;

export const rtcA = { updateInProgress: 0x80, dividerShift: 4, rateMask: 0x0f, powerOn: 0x26 } as const;

export const rtcB = {
  set: 0x80,
  periodicEnable: 0x40,
  alarmEnable: 0x20,
  updateEnable: 0x10,
  squareWaveEnable: 0x08,
  binary: 0x04,
  hours24: 0x02,
} as const;

/** Register C has its flags where register B has the enables. */
export const rtcC = { interrupt: 0x80, periodic: 0x40, alarm: 0x20, update: 0x10 } as const;

export const rtcD = { validRam: 0x80 } as const;

/** An alarm byte from here on matches anything. */
export const rtcAlarmAny = 0xc0;

export const rtcHoursPm = 0x80;

export const rtcCrystalHz = 32_768;

/** UIP rises 244 µs before an update that takes 1984 µs; the new time is there when it falls. */
export const rtcUpdateMs = 2.228;

/** "The first update cycle begins one-half second after the divider reset is removed." */
export const rtcFirstUpdateMs = 500;

/** CMOS RAM as a PC BIOS fills it. */
export const cmosRam = {
  size: 0x80,
  equipment: 0x14,
  baseMemoryKb: 0x15,
  extendedMemoryKb: 0x17,
  checksumFirst: 0x10,
  checksumLast: 0x2d,
  checksum: 0x2e,
  extendedMemoryKb2: 0x30,
  memoryAbove16Mb64Kb: 0x34,
  memoryAbove4Gb64Kb: 0x5b,
} as const;

/** Equipment byte: a floating-point unit and a pointing device; display by its own BIOS; no floppy drive. */
export const cmosEquipment = { fpu: 0x02, pointingDevice: 0x04 } as const;
