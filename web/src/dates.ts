/**
 * Dates as the model reads them: the days since 1970-01-01, the time of day as their fraction (`models/dates.py`).
 *
 * A row holds a date as text, as people and programs send it. A time with an offset is taken in UTC, one without as it
 * stands. Times after 23:54 count as 23:54: at the precision of a float32 they would be rounded into the next day.
 */

import { isMissingText } from "./numbers";
import { Problem } from "./problem";
import type { Feature, Value } from "./types";

const DAY_SECONDS = 86_400;
const DAY_MS = DAY_SECONDS * 1000;
const LAST_FRACTION = 255 / 256;
const LONGEST = 40;
const EARLIEST = startOfYear(1);
const LATEST = startOfYear(10_000) - 1;

const TIME = String.raw`(?:(?:T|\s+)(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?)?`;
const YEAR_FIRST = new RegExp(String.raw`^(\d{4})([-/])(\d{1,2})\2(\d{1,2})${TIME}$`, "i");
const YEAR_LAST = new RegExp(String.raw`^(\d{1,2})([./-])(\d{1,2})\2(\d{4})${TIME}$`, "i");

/** Read a date's text; null where it is none, or where day and month could be mistaken for each other. */
export function dayNumber(text: string, written: Feature["written"] = null): number | null {
  const stripped = text.trim();
  if (stripped.length > LONGEST) return null;
  const found = YEAR_FIRST.exec(stripped) ?? yearFirst(YEAR_LAST.exec(stripped), written);
  if (!found) return null;
  const days = daysOf(Number(found[1]), Number(found[3]), Number(found[4]));
  if (days === null || found[5] === undefined) return days;
  return withTime(days, found.slice(5));
}

/** Put the parts of a date that ends with its year in the order of one that begins with it. */
function yearFirst(found: RegExpExecArray | null, written: Feature["written"]): (string | undefined)[] | null {
  if (!found) return null;
  const [all, first, separator, second, year, ...time] = found;
  if (separator !== "." && !written) return null;
  const isMonthFirst = separator !== "." && written === "month_first";
  return isMonthFirst ? [all, year, separator, first, second, ...time] : [all, year, separator, second, first, ...time];
}

function daysOf(year: number, month: number, day: number): number | null {
  const at = new Date(0);
  at.setUTCFullYear(year, month - 1, day);
  const isReal = year >= 1 && at.getUTCMonth() === month - 1 && at.getUTCDate() === day;
  return isReal ? at.getTime() / DAY_MS : null;
}

function withTime(days: number, [hour, minute, second, part, offset]: (string | undefined)[]): number | null {
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second ?? 0) > 59) return null;
  let seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second ?? 0) + Number(`0.${part ?? 0}`);
  if (offset && /^[+-]/.test(offset)) {
    const digits = offset.slice(1).replace(":", "").padEnd(4, "0");
    const away = Number(digits.slice(0, 2)) * 3600 + Number(digits.slice(2)) * 60;
    seconds -= offset.startsWith("+") ? away : -away;
  }
  const passed = Math.floor(seconds / DAY_SECONDS);
  return days + passed + Math.min((seconds - passed * DAY_SECONDS) / DAY_SECONDS, LAST_FRACTION);
}

/** Write a day number as the shortest text that is read as the same float32. */
export function dateText(number: number): string {
  const within = Math.min(Math.max(number, EARLIEST), LATEST);
  const days = Math.floor(within);
  if (within === days) return isoText(days * DAY_MS).slice(0, 10);
  const micros = Math.round((within - days) * DAY_MS * 1000);
  const at = days * DAY_MS + Math.floor(micros / 1000);
  for (const [step, length] of [
    [60_000, 16],
    [1000, 19],
  ] as const) {
    const shown = isoText(at + step / 2).slice(0, length);
    if (Math.fround(dayNumber(shown) ?? Number.NaN) === Math.fround(within)) return shown;
  }
  return isoText(at).slice(0, 23) + String(micros % 1000).padStart(3, "0");
}

function isoText(ms: number): string {
  return new Date(ms).toISOString();
}

function startOfYear(year: number): number {
  const at = new Date(0);
  at.setUTCFullYear(year, 0, 1);
  return at.getTime() / DAY_MS;
}

/** A column's dates all fall on midnight: then it holds days, not moments. */
export function isWholeDays(feature: Feature): boolean {
  return feature.quantiles.every(Number.isInteger);
}

/** A row's date as the model takes it: NaN is unknown. Throws a problem that points at column and row. */
export function dateInput(feature: Feature, value: Value, row: number): number {
  if (value === null || (typeof value === "string" && isMissingText(value))) return Number.NaN;
  const number = typeof value === "string" ? dayNumber(value, feature.written) : value;
  if (typeof number === "number" && number >= EARLIEST && number < LATEST + 1) return number;
  const detail = `expected a date such as 2024-05-31, got ${JSON.stringify(value)}`;
  throw new Problem(`${feature.name}: ${detail}`, {
    status: 422,
    code: "invalid_rows",
    errors: [{ pointer: `#/rows/${row}/${feature.name.replaceAll("~", "~0").replaceAll("/", "~1")}`, detail }],
  });
}
