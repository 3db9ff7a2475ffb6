/** A CSV file as a visitor drops it, made ready for a model, and the table that comes back. */

import Papa from "papaparse";
import { isNumeric } from "../inputs";
import { formatCount } from "../numbers";
import type { Card, FieldNote, Prediction, Row } from "../types";

export const MAX_BYTES = 20 * 1024 ** 2;
export const MAX_ROWS = 50_000;

/** What a spreadsheet would run: a cell like these is written with an apostrophe before it. A signed number is none. */
const FORMULA = /^(?![+-](?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$)[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]/i;

export interface Table {
  header: string[];
  rows: string[][];
  /** Columns of the file that the model does not read. */
  unread: string[];
  /** Columns of the model that the file lacks and that may be lacking. */
  lacking: string[];
}

export interface Outcome {
  prediction: Prediction | null;
  /** Why this row has no prediction. */
  fault: string | null;
}

/** One readable line that says what to change in the file. */
export class TableRefused extends Error {
  /** The table itself is good, but more than a page can hold. */
  readonly isTooLarge: boolean;

  constructor(message: string, isTooLarge = false) {
    super(message);
    this.isTooLarge = isTooLarge;
  }
}

/** Decode a file's bytes: UTF-8, or else the encoding that older spreadsheets write. */
export function decode(bytes: ArrayBuffer): string {
  if (new Uint8Array(bytes).includes(0))
    throw new TableRefused("This is not a text file. Save the table as CSV first.");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

/** Read a CSV (comma, semicolon or tab) and match its columns with the model's. */
export function readTable(text: string, card: Card): Table {
  const parsed = Papa.parse<string[]>(text, { skipEmptyLines: "greedy" });
  const quotes = parsed.errors.find((error) => error.type === "Quotes");
  if (quotes) throw new TableRefused(`A quote is not closed properly near row ${(quotes.row ?? 0) + 1}.`);
  const [header, ...rows] = parsed.data.map((cells) => cells.map((cell) => cell.trim()));
  if (!header || rows.length === 0) throw new TableRefused("The file holds no rows below its header.");
  if (rows.length > MAX_ROWS) {
    throw new TableRefused(`${formatCount(rows.length)} rows are too many here; the limit is 50,000.`, true);
  }
  const twice = header.find((name, index) => header.indexOf(name) !== index);
  if (twice !== undefined) throw new TableRefused(`The column “${twice}” appears twice.`);
  const ragged = rows.findIndex((row) => row.length !== header.length);
  if (ragged >= 0) {
    throw new TableRefused(
      `Row ${ragged + 1} has ${rows[ragged]?.length} cells, but the header names ${header.length} columns.`,
    );
  }
  return { header, rows: spellNumbers(rows, header, card, parsed.meta.delimiter), ...match(header, card) };
}

function match(header: string[], card: Card): { unread: string[]; lacking: string[] } {
  const wanted = card.features.map((feature) => feature.name);
  const lacking = card.features.filter((feature) => !header.includes(feature.name));
  const required = lacking.filter((feature) => feature.required).map((feature) => feature.name);
  if (lacking.length === wanted.length) {
    throw new TableRefused(`No column of the file is known to the model, which reads ${list(wanted)}.`);
  }
  if (required.length > 0) throw new TableRefused(`The file lacks ${list(required)}.`);
  return {
    unread: header.filter((name) => !wanted.includes(name)),
    lacking: lacking.map((feature) => feature.name),
  };
}

function list(names: string[]): string {
  const shown = names.slice(0, 6).join(", ");
  return names.length > 6 ? `${shown} and ${names.length - 6} more columns` : shown;
}

/** Where the comma does not separate cells it is a decimal comma. */
function spellNumbers(rows: string[][], header: string[], card: Card, delimiter: string): string[][] {
  if (delimiter === ",") return rows;
  const numeric = new Set(card.features.filter(isNumeric).map((feature) => header.indexOf(feature.name)));
  return rows.map((row) =>
    row.map((cell, index) => (numeric.has(index) && /^[+-]?\d*,\d+$/.test(cell) ? cell.replace(",", ".") : cell)),
  );
}

/** Row `index` of the table as the model takes it: its own columns, empty cells unknown. */
export function toRow(table: Table, index: number, card: Card): Row {
  const cells = table.rows[index] ?? [];
  const row: Row = {};
  for (const { name } of card.features) {
    const cell = cells[table.header.indexOf(name)];
    row[name] = cell === undefined || cell === "" ? null : cell;
  }
  return row;
}

/** Faults by row of the request, from pointers such as `#/rows/3/age`. */
export function faultsByRow(errors: FieldNote[]): Map<number, string> {
  const faults = new Map<number, string>();
  for (const { pointer, detail } of errors) {
    const found = /^#\/rows\/(\d+)(?:\/(.+))?$/.exec(pointer);
    if (!found?.[1]) continue;
    const text = found[2] ? `${found[2]}: ${detail}` : detail;
    const index = Number(found[1]);
    faults.set(index, faults.has(index) ? `${faults.get(index)}; ${text}` : text);
  }
  return faults;
}

/** The columns that a prediction adds, in the order in which `outcomeCells` fills them. */
export function outcomeHeader(card: Card): string[] {
  if (card.task === "regression") return ["prediction", "prediction_low", "prediction_high"];
  return ["prediction", ...card.classes.map((name) => `probability_${name}`)];
}

export function outcomeCells(card: Card, { prediction }: Outcome): (string | number)[] {
  if (!prediction) return outcomeHeader(card).map(() => "");
  if ("label" in prediction) {
    return [prediction.label, ...card.classes.map((name) => prediction.probabilities[name] ?? 0)];
  }
  return [prediction.value, prediction.interval?.low ?? "", prediction.interval?.high ?? ""];
}

/** The dropped table with its predictions, as CSV. */
export function toCsv(table: Table, outcomes: Outcome[], card: Card): string {
  const failed = outcomes.some((outcome) => outcome.fault !== null);
  const fields = [...table.header, ...outcomeHeader(card), ...(failed ? ["error"] : [])];
  const data = table.rows.map((row, index) => {
    const outcome = outcomes[index] ?? { prediction: null, fault: null };
    return [...row, ...outcomeCells(card, outcome), ...(failed ? [outcome.fault ?? ""] : [])];
  });
  return writeCsv(fields, data);
}

/** The card's own rows as a CSV to try. */
export function sampleCsv(card: Card): string {
  const names = card.features.map((feature) => feature.name);
  const rows = [...card.examples, ...card.background];
  return writeCsv(
    names,
    rows.map((row) => names.map((name) => row[name] ?? "")),
  );
}

function writeCsv(fields: string[], data: unknown[][]): string {
  return Papa.unparse({ fields, data }, { escapeFormulae: FORMULA });
}

/** How well the predictions meet the target column, where the file has one. */
export function agreement(table: Table, outcomes: Outcome[], card: Card): string | null {
  const column = table.header.indexOf(card.target);
  if (column < 0) return null;
  const pairs = outcomes.flatMap(({ prediction }, index) => {
    const truth = table.rows[index]?.[column] ?? "";
    return prediction && truth !== "" ? [{ prediction, truth }] : [];
  });
  if (pairs.length === 0) return null;
  if (card.task === "regression") {
    const errors = pairs.map(({ prediction, truth }) => ("value" in prediction ? prediction.value - Number(truth) : 0));
    const mean = errors.reduce((sum, error) => sum + Math.abs(error), 0) / errors.length;
    return Number.isFinite(mean) ? `${mean.toPrecision(4)} off the file's own ${card.target} on average` : null;
  }
  const right = pairs.filter(({ prediction, truth }) => "label" in prediction && prediction.label === truth).length;
  return `${((right / pairs.length) * 100).toFixed(1)}% agree with the file's own ${card.target}`;
}
