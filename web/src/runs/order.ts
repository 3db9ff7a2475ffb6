/** What is asked of a run: which column, which model, and the options, with what can be said before anything is sent. */

import type { Column, Corrections, Profile, Warning } from "../datasets/profile";
import type { Task } from "../types";
import type { Run, RunOptions, RunOrder } from "./calls";

/** The form as it stands; empty means "as Rowcast chooses". */
export interface Draft {
  target: string;
  task: Task | "";
  slug: string;
  title: string;
  visibility: "private" | "public";
  budget: number;
  metric: string;
  weights: "" | "balanced";
  holdout: "random" | "time" | "group";
  holdoutColumn: string;
  holdoutPercent: number;
  drop: string[];
  seed: number | null;
  workers: number;
}

export const DEFAULT_BUDGET = 30;
const DEFAULT_PERCENT = 20;

export const BLANK: Draft = {
  target: "",
  task: "",
  slug: "",
  title: "",
  visibility: "private",
  budget: DEFAULT_BUDGET,
  metric: "",
  weights: "",
  holdout: "random",
  holdoutColumn: "",
  holdoutPercent: DEFAULT_PERCENT,
  drop: [],
  seed: null,
  workers: 1,
};

export const METRICS: Record<"classes" | "amounts", readonly string[]> = {
  classes: ["log_loss", "accuracy", "balanced_accuracy", "f1", "roc_auc"],
  amounts: ["r2", "rmse", "mae"],
};

/** Up to here whole numbers are read as classes, beyond as amounts (`models/training/target.py`). */
const FEW_WHOLE_NUMBERS = 10;
const ROWS_PER_NUMBER = 5;
const MOST_CLASSES = 100;
const NUMERIC = new Set(["number", "integer"]);

/** What kind of question a column is, as training will find it; null: none. */
export function taskOf(column: Column, rows: number): Task | null {
  const known = rows - column.missing;
  if (column.distinct < 2) return null;
  if (NUMERIC.has(column.type)) {
    const isWhole = column.type === "integer";
    if (!isWhole || column.distinct > FEW_WHOLE_NUMBERS || known < ROWS_PER_NUMBER * column.distinct)
      return "regression";
  }
  if (column.distinct === 2) return "binary";
  return column.distinct <= MOST_CLASSES ? "multiclass" : null;
}

/** Names that people give to what they want to know, and to what might be. */
const LIKELY = /^(target|label|class|outcome|y|species|diagnosis|churn(ed)?|survived|default(ed)?)$/i;
const POSSIBLE = /^(price|cost|amount|sales|score|rating|status|quality|type)$/i;
const SUGGESTED = 3;

/** Columns worth predicting, the likeliest first; the answer often stands last. */
export function suggestTargets(profile: Profile): string[] {
  const found = profile.targets?.map((each) => each.column) ?? [];
  const able = profile.columns.filter((each) => each.type !== "date" && taskOf(each, profile.rows) && !isName(each));
  const names = able.map((each) => each.name);
  const guessed = [
    ...names.filter((name) => LIKELY.test(name)),
    ...names.slice(-1),
    ...names.filter((name) => POSSIBLE.test(name)),
  ];
  return [...new Set([...found, ...guessed])].slice(0, SUGGESTED);
}

function isName(column: Column): boolean {
  return column.type === "id" || column.type === "text";
}

/** A slug out of a title: lower case, no accents, hyphens. */
export function slugOf(title: string): string {
  const plain = title
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase();
  return plain
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63)
    .replace(/-+$/, "");
}

/** What is said of the target before anybody trains: by the profile where it knows, else by names and types. */
export function warningsFor(profile: Profile, target: string, dropped: readonly string[]): Warning[] {
  const known = profile.targets?.find((each) => each.column === target)?.warnings ?? guesses(profile, target);
  return known.filter((each) => each.column === null || each.column === target || !dropped.includes(each.column));
}

const AFTERWARDS =
  /(^|[_\W])(outcome|result|resolution|resolved|closed|cancell?ed|refunded|settled|actual|predicted|prediction|forecast|final|ended)($|[_\W])/i;

function guesses(profile: Profile, target: string): Warning[] {
  const suspects = profile.columns.filter(
    (each) =>
      each.used &&
      each.name !== target &&
      (AFTERWARDS.test(each.name) || (target.length > 3 && each.name.toLowerCase().includes(target.toLowerCase()))),
  );
  return suspects.map((each) => ({
    code: "leakage_name",
    column: each.name,
    detail: `Column '${each.name}' sounds as if it were known only after '${target}': leave it out if so.`,
  }));
}

/** Columns that a model would learn from. */
export function learnable(profile: Profile, said: Corrections, draft: Draft): Column[] {
  return profile.columns.filter(
    (each) =>
      each.used && each.name !== draft.target && !said.drop.includes(each.name) && !draft.drop.includes(each.name),
  );
}

/** What the server is asked for; what was not chosen is not sent. */
export function orderOf(datasetId: string, draft: Draft): RunOrder {
  const options: RunOptions = { time_budget_seconds: draft.budget };
  if (draft.task) options.task = draft.task;
  if (draft.metric) options.metric = draft.metric as NonNullable<RunOptions["metric"]>;
  if (draft.weights) options.class_weights = draft.weights;
  if (draft.holdout !== "random") {
    options.holdout = { by: draft.holdout, column: draft.holdoutColumn, share: draft.holdoutPercent / 100 };
  }
  if (draft.drop.length > 0) options.drop = draft.drop;
  if (draft.seed !== null) options.seed = draft.seed;
  if (draft.workers > 1) options.workers = draft.workers;
  const { target, slug, title, visibility } = draft;
  return { dataset_id: datasetId, model: slug, target, title: title.trim(), description: "", visibility, options };
}

/** The form as it stood for an earlier run. */
export function draftOf(run: Run): Draft {
  const options = run.options as RunOptions;
  return {
    ...BLANK,
    target: run.target,
    slug: run.model,
    title: run.title,
    visibility: run.visibility,
    task: options.task ?? "",
    budget: options.time_budget_seconds ?? DEFAULT_BUDGET,
    metric: options.metric ?? "",
    weights: options.class_weights === "balanced" ? "balanced" : "",
    holdout: options.holdout?.by ?? "random",
    holdoutColumn: options.holdout?.column ?? "",
    holdoutPercent: Math.round((options.holdout?.share ?? DEFAULT_PERCENT / 100) * 100),
    drop: options.drop ?? [],
    seed: options.seed ?? null,
    workers: options.workers ?? 1,
  };
}
