/** Numbers as people write them, and as this site writes them back. */

export type Parsed = { value: number | null } | { error: string };

/** Words that mean "no value", in training and in serving alike (`models/coercion.py`). */
const MISSING_WORDS = new Set(["", "na", "n/a", "#na", "#n/a", "<na>", "nan", "-nan", "nat", "null", "none", "?"]);

export function isMissingText(text: string): boolean {
  return MISSING_WORDS.has(text.trim().toLowerCase());
}

/**
 * Read a number in either notation: `1234.5`, `1,234.5`, `1.234,5`, `12,5`, `1 234,5`, `1e3`.
 * What could mean two numbers is refused with the two ways out, never guessed; where only whole numbers are
 * taken, `1,234` means one of them.
 */
export function parseNumber(text: string, whole = false): Parsed {
  const trimmed = text.trim().replace(/[\u2212\u2013]/g, "-");
  if (isMissingText(trimmed)) return { value: null };
  const digits = trimmed.replace(/(?<=\d)[\s'\u2019](?=\d{3}(?!\d))/g, "");
  const isAmbiguous = /^[+-]?[1-9]\d{0,2},\d{3}$/.test(digits);
  if (isAmbiguous && !whole) {
    return { error: `Write ${digits.replace(",", "")} or ${digits.replace(",", ".")}: ${trimmed} could mean either.` };
  }
  const plain = toPlain(digits);
  if (plain === null) return { error: `“${shorten(trimmed)}” is not a number.` };
  const value = Number(plain);
  if (whole && !Number.isInteger(value)) return { error: "This column holds whole numbers." };
  return Number.isFinite(value) ? { value } : { error: `“${shorten(trimmed)}” is too large.` };
}

function toPlain(text: string): string | null {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return text;
  if (/^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$/.test(text)) return text.replaceAll(",", "");
  if (/^[+-]?[1-9]\d{0,2}(\.\d{3})+,\d+$/.test(text)) return text.replaceAll(".", "").replace(",", ".");
  if (/^[+-]?\d*,\d+$/.test(text)) return text.replace(",", ".");
  return null;
}

function shorten(text: string): string {
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
}

/** A number as a form field shows it: no grouping, no float32 noise. */
export function inputText(value: number): string {
  return String(Number(value.toPrecision(7)));
}

const grouped = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
/** Four digits stay together, so that a year reads as a year. */
const integers = new Intl.NumberFormat("en", { maximumFractionDigits: 0, useGrouping: "min2" });

/** A number to read: four significant digits, no digit of an integer part lost. */
export function formatNumber(value: number): string {
  if (Math.abs(value) >= 1000) return integers.format(value);
  return Math.abs(value) > 0 && Math.abs(value) < 1e-4
    ? value.toExponential(1).replace(".0e", "e")
    : grouped.format(value);
}

export function formatPercent(share: number): string {
  if (share > 0 && share < 0.001) return "<0.1%";
  if (share < 1 && share > 0.999) return ">99.9%";
  return `${(share * 100).toFixed(1)}%`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} kB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

export function formatMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** "20 s", "3 min": how long until something, rounded up. */
export function formatSpan(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** "3 hours ago", measured from `now`. */
export function formatAge(at: string, now: number = Date.now()): string {
  const seconds = (now - Date.parse(at)) / 1000;
  for (const [unit, size] of UNITS) {
    if (seconds >= size) return relative.format(-Math.floor(seconds / size), unit);
  }
  return "just now";
}

export function formatDate(at: string): string {
  return new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
}

export function formatCount(count: number): string {
  return count.toLocaleString("en");
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
