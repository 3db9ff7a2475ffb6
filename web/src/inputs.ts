/** From a card to the row that a visitor edits: first values, checks, random rows, and the row in an address. */

import { dateText, dayNumber, isWholeDays } from "./dates";
import { formatNumber, inputText, isMissingText } from "./numbers";
import type { Card, Feature, Row, Value } from "./types";

/** How many choices are laid open; more go behind a search field. */
export const OPEN_CHOICES = 6;

/** Whether nobody has told what values a category takes: a file that was made elsewhere need not say. */
export function isOpen(feature: Feature): boolean {
  return feature.kind === "category" && feature.category_count === 0;
}

export function isNumeric(feature: Feature): boolean {
  return feature.kind === "number" || feature.kind === "integer";
}

/** A value's place on the column's scale; dates are texts in a row and day numbers on their scale. */
export function numberOf(feature: Feature, value: Value): number | null {
  if (feature.kind === "date" && typeof value === "string") return dayNumber(value, feature.written);
  return typeof value === "number" ? value : null;
}

/** What a row holds for a place on the column's scale. */
export function valueAt(feature: Feature, number: number): Value {
  return feature.kind === "date" ? dateText(number) : number;
}

/** A place on the column's scale, to read. */
export function spellAt(feature: Feature, number: number): string {
  return feature.kind === "date" ? dateText(number) : formatNumber(number);
}

/** Where a column starts that was unknown and becomes known: at its median, as a rule. */
export function startOf(feature: Feature): number {
  return numberOf(feature, feature.default) ?? feature.minimum ?? 0;
}

export interface Choice {
  value: Value;
  label: string;
  /** Share of the training rows. */
  share: number;
}

/** What can be chosen in a column that takes few values, as seen in training; null when it takes many. */
export function choicesOf(feature: Feature): Choice[] | null {
  if (feature.kind === "boolean") {
    const share = booleanShare(feature);
    return [
      { value: true, label: "Yes", share },
      { value: false, label: "No", share: 1 - share },
    ];
  }
  if (feature.kind === "category" && feature.category_count <= OPEN_CHOICES && !isOpen(feature)) {
    return feature.categories.map(({ value, share }) => ({ value, label: value, share }));
  }
  return fewNumbers(feature);
}

function fewNumbers(feature: Feature): Choice[] | null {
  const { kind, minimum, maximum, histogram } = feature;
  if (kind !== "integer" || minimum === null || maximum === null || maximum - minimum >= OPEN_CHOICES) return null;
  const total = Math.max(1, sum(histogram));
  const all = Array.from({ length: maximum - minimum + 1 }, (_, offset) => minimum + offset);
  return all
    .map((value) => ({ value, label: String(value), share: (histogram[binOf(value, feature)] ?? 0) / total }))
    .filter((choice) => choice.share > 0);
}

function binOf(value: number, { minimum, maximum, histogram }: Feature): number {
  const span = (maximum ?? 0) - (minimum ?? 0) || 1;
  return Math.min(histogram.length - 1, Math.floor(((value - (minimum ?? 0)) / span) * histogram.length));
}

function sum(counts: number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** A sensible first row: the card's medians and most frequent values. */
export function defaultRow(card: Card): Row {
  return Object.fromEntries(card.features.map((feature) => [feature.name, defaultValue(feature)]));
}

function defaultValue(feature: Feature): Value {
  const value = feature.default;
  if (value === null || value === undefined) return null;
  if (feature.kind === "boolean") return value === true || value === 1 || value === "true";
  if (feature.kind === "category") return String(value);
  const number = numberOf(feature, value);
  return number === null ? null : valueAt(feature, tidy(feature, number));
}

/** A card's example as a full row: columns it leaves out are unknown. */
export function exampleRow(card: Card, example: Row): Row {
  return Object.fromEntries(
    card.features.map((feature) => {
      const value = example[feature.name] ?? null;
      const number = isNumeric(feature) || feature.kind === "date" ? numberOf(feature, value) : null;
      return [feature.name, number === null ? value : valueAt(feature, tidy(feature, number))];
    }),
  );
}

/** Draw every column from its own training distribution. */
export function randomRow(card: Card, random: () => number = Math.random): Row {
  return Object.fromEntries(card.features.map((feature) => [feature.name, randomValue(feature, random)]));
}

function randomValue(feature: Feature, random: () => number): Value {
  if (random() < feature.missing_share) return null;
  if (feature.kind === "boolean") return random() < booleanShare(feature);
  if (feature.kind === "category") return randomCategory(feature, random());
  return valueAt(feature, snap(feature, quantileAt(feature.quantiles, random())));
}

function booleanShare(feature: Feature): number {
  const total = sum(feature.histogram);
  return total > 0 ? (feature.histogram.at(-1) ?? 0) / total : 0.5;
}

function randomCategory(feature: Feature, draw: number): Value {
  let passed = 0;
  for (const category of feature.categories) {
    passed += category.share;
    if (draw < passed) return category.value;
  }
  return feature.categories[0]?.value ?? null;
}

const QUANTILE_LEVELS = [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1];

/** The training value below which a share of `level` lies, between the card's quantiles by straight lines. */
export function quantileAt(quantiles: number[], level: number): number {
  for (let index = 1; index < quantiles.length; index += 1) {
    const upper = QUANTILE_LEVELS[index] ?? 1;
    if (level <= upper) {
      const lower = QUANTILE_LEVELS[index - 1] ?? 0;
      const from = quantiles[index - 1] ?? 0;
      return from + ((quantiles[index] ?? from) - from) * ((level - lower) / (upper - lower));
    }
  }
  return quantiles.at(-1) ?? 0;
}

/**
 * A step that is fine enough to reach any usual value and round enough to read: 1, 2 or 5 times a power of ten.
 * Dates move by days, or by hours where training knew the time of day.
 */
export function stepOf(feature: Feature): number {
  if (feature.kind === "date") return isWholeDays(feature) ? 1 : 1 / 24;
  const span = (feature.maximum ?? 0) - (feature.minimum ?? 0);
  if (span <= 0) return 1;
  const rough = span / 200;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (rough / power >= 5 ? 5 : rough / power >= 2 ? 2 : 1);
  return feature.kind === "integer" ? Math.max(1, Math.round(step)) : step;
}

/** Round to what the step can tell apart, without float noise. */
export function snap(feature: Feature, value: number): number {
  const step = stepOf(feature);
  const snapped = Math.round(value / step) * step;
  const inside = Math.min(Math.max(snapped, feature.minimum ?? snapped), feature.maximum ?? snapped);
  return tidy(feature, inside);
}

function tidy(feature: Feature, value: number): number {
  if (feature.kind === "date") return isWholeDays(feature) ? Math.round(value) : value;
  return feature.kind === "integer" ? Math.round(value) : Number(inputText(value));
}

/** What a visitor should know about a value that training never saw; null when there is nothing to say. */
export function remarkOn(feature: Feature, value: Value): string | null {
  if (value === null) {
    return feature.missing_share === 0 ? "No training row lacked this value." : null;
  }
  const number = numberOf(feature, value);
  if (number !== null && feature.minimum !== null && feature.maximum !== null) {
    const outside = number < tidy(feature, feature.minimum) || number > tidy(feature, feature.maximum);
    if (!outside) return null;
    return `Outside the training range, ${spellAt(feature, feature.minimum)} to ${spellAt(feature, feature.maximum)}.`;
  }
  if (feature.kind === "category" && feature.category_count <= feature.categories.length && !isOpen(feature)) {
    const seen = feature.categories.some((category) => category.value === value);
    return seen ? null : `“${String(value)}” never occurred in training.`;
  }
  return null;
}

/** Features, those that move the held-out score most first. */
export function byInfluence(card: Card): Feature[] {
  const weight = new Map(card.evaluation.importance.map((entry) => [entry.feature, entry.mean]));
  return [...card.features].sort((a, b) => (weight.get(b.name) ?? 0) - (weight.get(a.name) ?? 0));
}

/** The row as query parameters; empty means unknown. */
export function toQuery(card: Card, row: Row): string {
  const query = new URLSearchParams();
  for (const feature of card.features) {
    const value = row[feature.name] ?? null;
    query.set(feature.name, value === null ? "" : String(value));
  }
  return query.toString();
}

/** The row that an address holds; columns it does not name keep their defaults. Null when it names none. */
export function fromQuery(card: Card, search: string): Row | null {
  const query = new URLSearchParams(search);
  const named = card.features.filter((feature) => query.has(feature.name));
  if (named.length === 0) return null;
  const row = defaultRow(card);
  for (const feature of named) {
    const text = query.get(feature.name) ?? "";
    const value = fromText(feature, text);
    if (value !== undefined) row[feature.name] = value;
  }
  return row;
}

function fromText(feature: Feature, text: string): Value | undefined {
  if (text.trim() === "") return null;
  if (feature.kind === "category") return text;
  if (feature.kind === "boolean") {
    const word = text.trim().toLowerCase();
    if (["true", "1", "yes"].includes(word)) return true;
    return ["false", "0", "no"].includes(word) ? false : undefined;
  }
  if (feature.kind === "date") return dateFromText(feature, text);
  const value = Number(text);
  if (!Number.isFinite(value)) return undefined;
  return feature.kind === "integer" && !Number.isInteger(value) ? undefined : value;
}

/** A date as it was typed, pasted or linked, in the one way that the row holds it; undefined when it is none. */
export function dateFromText(feature: Feature, text: string): Value | undefined {
  if (isMissingText(text)) return null;
  const number = dayNumber(text, feature.written);
  return number === null ? undefined : dateText(number);
}

/** Match a problem's pointers (`#/rows/0/age`) with the columns of the one row that was sent. */
export function notesByFeature(notes: { pointer: string; detail: string }[]): Map<string, string> {
  const byName = new Map<string, string>();
  for (const note of notes) {
    const match = /^#\/rows\/0\/(.+)$/.exec(note.pointer);
    if (match?.[1]) byName.set(unescapePointer(match[1]), note.detail);
  }
  return byName;
}

function unescapePointer(part: string): string {
  const plain = part.replaceAll("~1", "/").replaceAll("~0", "~");
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}
