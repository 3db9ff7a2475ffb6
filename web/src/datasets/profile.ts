/** What is known about the columns of a table, in words; the shapes are those of `models/training/dataset_profile.py`. */

import { formatNumber } from "../numbers";
import type { ColumnType } from "./calls";

export interface Histogram {
  edges: (number | string)[];
  counts: number[];
}

export interface Column {
  name: string;
  /** What it is taken for, and what the file alone says. */
  type: string;
  detected: string;
  written: string | null;
  evidence: string;
  used: boolean;
  reason: string | null;
  /** What a person may say that it is. */
  choices: ColumnType[];
  missing: number;
  missing_share: number;
  distinct: number;
  distinct_exact: boolean;
  minimum: number | string | null;
  maximum: number | string | null;
  mean: number | null;
  /** At 0, 5, 25, 50, 75, 95 and 100 %; empty for what is no number and no date. */
  quantiles: (number | string)[];
  histogram: Histogram | null;
  top: { value: string; count: number }[];
  warnings: { code: string; detail: string }[];
}

export interface Warning {
  code: string;
  column: string | null;
  detail: string;
}

/** A column that one may want to predict, with what is suspicious once it is the target. */
export interface SuggestedTarget {
  column: string;
  task: "binary" | "multiclass" | "regression";
  warnings: Warning[];
}

export interface Profile {
  format: string;
  bytes: number;
  rows: number;
  sampled_rows: number;
  columns: Column[];
  warnings: Warning[];
  preview: (string | null)[][];
  targets?: SuggestedTarget[];
}

export interface Corrections {
  types: Record<string, string>;
  drop: string[];
}

export const TYPE_NAMES: Record<string, string> = {
  number: "Number",
  "number:decimal_comma": "Number, comma before decimals (1.234,5)",
  "number:thousands_comma": "Number, comma before thousands (1,234.5)",
  integer: "Whole number",
  boolean: "True or false",
  category: "Category",
  date: "Date",
  "date:day_first": "Date, day first (31/12/2026)",
  "date:month_first": "Date, month first (12/31/2026)",
  text: "Free text, not learned from",
  id: "Id, not learned from",
  constant: "Always the same",
};

const SHORT_NAMES: Record<string, string> = { ...TYPE_NAMES, text: "Free text", id: "Id", constant: "Constant" };

/** The type in a word or two. */
export function typeName(type: string): string {
  return SHORT_NAMES[type.split(":")[0] ?? type] ?? type;
}

/** Why it matters, and what can be done. */
const MEANINGS: Record<string, string> = {
  few_rows: "With few rows a good score can be luck. The intervals beside each score say how uncertain it is.",
  duplicates:
    "A copy among the held-out rows has been learned by heart: scores look better than they are. Remove the copies, or hold out whole groups.",
  encoding: "Look at the preview below: are all letters right?",
  odd_cells: "Those cells count as missing. If they mean something, correct the type or the file.",
  decimal_comma:
    "Numbers are read as the file as a whole suggests. If that is wrong, say the other way in the column's type.",
  ambiguous_number:
    "Nothing in the file tells, so nothing is guessed: choose in the column's type whether the comma comes before decimals or thousands. Until then the column is left out.",
  ambiguous_date:
    "3/4 is a day in March or in April. Choose in the column's type which comes first; until then the column is left out.",
  constant: "A column that never changes says nothing about the target.",
  row_counter: "Row numbers mean nothing for rows to come.",
  id: "An id is new in every row: a model would learn names by heart. If it is a code with a meaning, make it a category.",
  free_text:
    "Nearly every row has its own text; models here do not read sentences. If it is a code with a meaning, make it a category.",
  leading_zeros: "They are kept, as in postcodes: 01234 is not 1234.",
  mixed:
    "Are words such as “unknown” meant as missing? Then say that the column holds numbers, and they count as missing.",
  missing_much: "Unknown values are learned as such. Ask yourself whether they will be unknown later, too.",
  leakage_suspect:
    "A column that knows the answer is a discovery or, more often, a leak: something written down when the answer was known. It will not be there when you predict.",
  leakage_name:
    "What is only known afterwards is not there when you predict, and makes scores look better than they are.",
  target_shift: "The past was different. Hold out by time to judge how well the model meets what comes.",
  tiny_class: "What was hardly seen is hardly learned. Add rows, or merge classes.",
  imbalance:
    "Always answering the commonest class would be right nearly always. Look at the log loss and the AUC, not at the accuracy.",
  target_missing: "Rows without an answer cannot teach one.",
  target_unusable: "Choose another target, or correct the file.",
};

export function meaningOf(code: string): string | null {
  return MEANINGS[code] ?? null;
}

/** What is serious stands open; the rest is there for who asks. */
const MILD = new Set(["constant", "row_counter", "id", "free_text", "leading_zeros", "encoding", "decimal_comma"]);

export function isMild(warning: Warning): boolean {
  return MILD.has(warning.code);
}

/** A value of a column as people write it. */
export function spell(value: number | string): string {
  return typeof value === "number" ? formatNumber(value) : value.replace(/T00:00(:00)?$/, "");
}

/** What was said about columns, with one column's type said anew; what the file says itself is not repeated. */
export function withType(said: Corrections, column: Column, type: string): Corrections {
  const types = { ...said.types };
  if (type === column.detected) delete types[column.name];
  else types[column.name] = type;
  return { types, drop: said.drop };
}

/** The same with one column left out, or taken in again. */
export function withDropped(said: Corrections, name: string, isDropped: boolean): Corrections {
  const others = said.drop.filter((each) => each !== name);
  return { types: said.types, drop: isDropped ? [...others, name] : others };
}

/** What a column is chosen to be: what a person said, else what was found. */
export function chosenType(column: Column, said: Corrections): string {
  return said.types[column.name] ?? column.detected;
}

/** What one may choose: what fits its cells, and what it is taken for now. */
export function typeChoices(column: Column, said: Corrections): string[] {
  const now = chosenType(column, said);
  const offered = [...new Set([column.detected, now, ...column.choices])];
  return offered.filter((each) => each !== "constant" || now === "constant");
}
