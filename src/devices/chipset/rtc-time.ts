/** Conversion between time registers of an MC146818 and seconds. Bad register contents are read, not refused. */
import { rtcAlarmAny, rtcB, rtcHoursPm, rtcRegister } from '../../spec/pc/rtc.ts';

/** The time registers in the format that register B selects: indices 0…9 as on the chip, plus the century. */
export interface RtcTimeRegisters {
  seconds: number;
  minutes: number;
  hours: number;
  dayOfWeek: number;
  dayOfMonth: number;
  month: number;
  year: number;
  century: number;
}

const encode = (value: number, b: number): number =>
  (b & rtcB.binary) !== 0 ? value & 0xff : (((Math.floor(value / 10) % 10) << 4) | (value % 10)) & 0xff;

const decode = (raw: number, b: number): number => ((b & rtcB.binary) !== 0 ? raw : (raw >> 4) * 10 + (raw & 0x0f));

function encodeHours(hours: number, b: number): number {
  if ((b & rtcB.hours24) !== 0) return encode(hours, b);
  return encode(hours % 12 === 0 ? 12 : hours % 12, b) | (hours >= 12 ? rtcHoursPm : 0);
}

function decodeHours(raw: number, b: number): number {
  if ((b & rtcB.hours24) !== 0) return decode(raw, b);
  return (decode(raw & ~rtcHoursPm, b) % 12) + ((raw & rtcHoursPm) !== 0 ? 12 : 0);
}

/** @param weekdayShift days by which the guest has set the day of the week off the calendar (the chip does not know it). */
export function encodeTime(seconds: number, weekdayShift: number, b: number): RtcTimeRegisters {
  const date = new Date(seconds * 1000);
  const year = date.getUTCFullYear();
  return {
    seconds: encode(date.getUTCSeconds(), b),
    minutes: encode(date.getUTCMinutes(), b),
    hours: encodeHours(date.getUTCHours(), b),
    dayOfWeek: encode(((date.getUTCDay() + weekdayShift) % 7) + 1, b),
    dayOfMonth: encode(date.getUTCDate(), b),
    month: encode(date.getUTCMonth() + 1, b),
    year: encode(year % 100, b),
    century: encode(Math.floor(year / 100), b),
  };
}

/** What `encodeTime` took. Impossible dates carry over (31 April is 1 May). */
export function decodeTime(registers: RtcTimeRegisters, b: number): { seconds: number; weekdayShift: number } {
  const ms = Date.UTC(
    decode(registers.century, b) * 100 + decode(registers.year, b),
    decode(registers.month, b) - 1,
    decode(registers.dayOfMonth, b),
    decodeHours(registers.hours, b),
    decode(registers.minutes, b),
    decode(registers.seconds, b),
  );
  const weekday = decode(registers.dayOfWeek, b) - 1 - new Date(ms).getUTCDay();
  return { seconds: Math.floor(ms / 1000), weekdayShift: ((weekday % 7) + 7) % 7 };
}

/** The first second after `after` that the alarm bytes in `ram` match; `Infinity` if none ever does. */
export function nextAlarm(after: number, ram: Uint8Array, b: number): number {
  const field = (index: number, convert: (raw: number, b: number) => number): number => {
    const raw = ram[index] as number;
    return raw >= rtcAlarmAny ? -1 : convert(raw, b);
  };
  const hours = field(rtcRegister.hoursAlarm, decodeHours);
  const minutes = field(rtcRegister.minutesAlarm, decode);
  const seconds = field(rtcRegister.secondsAlarm, decode);
  let at = after + 1;
  while (at <= after + 86_400) {
    if (hours >= 0 && Math.floor(at / 3600) % 24 !== hours) at = (Math.floor(at / 3600) + 1) * 3600;
    else if (minutes >= 0 && Math.floor(at / 60) % 60 !== minutes) at = (Math.floor(at / 60) + 1) * 60;
    else if (seconds >= 0 && at % 60 !== seconds) at++;
    else return at;
  }
  return Number.POSITIVE_INFINITY;
}
