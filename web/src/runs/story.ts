/** What a run's events tell: trials, stages, doubts and scores. Events are told once each and in their order. */

import type { Metric, Task } from "../types";
import type { RunEvent } from "./calls";
import { isLoss } from "./words";

export interface Trial {
  /** 1, 2, 3 … in the order of this attempt. */
  number: number;
  recipe: string;
  parameters: Record<string, unknown>;
  /** Null where there was no finite one. */
  score: number | null;
  /** Given up early, as worse than the best: its score is of some folds only. */
  isPruned: boolean;
  seconds: number;
  /** Since the start of the attempt. */
  elapsed: number;
}

export interface Story {
  lastSeq: number;
  /** How often a worker took it up. */
  attempt: number;
  startedAt: string | null;
  task: Task | null;
  rows: number | null;
  features: number | null;
  stage: string | null;
  message: string;
  progress: number;
  /** Seconds since the attempt began, as last told. */
  elapsed: number;
  trials: Trial[];
  warnings: string[];
  metrics: Metric[] | null;
  log: { seq: number; at: string; text: string }[];
}

export const UNTOLD: Story = {
  lastSeq: 0,
  attempt: 0,
  startedAt: null,
  task: null,
  rows: null,
  features: null,
  stage: null,
  message: "",
  progress: 0,
  elapsed: 0,
  trials: [],
  warnings: [],
  metrics: null,
  log: [],
};

const BASELINE = "baseline";

/** Take in events; those that are known already change nothing. */
export function tell(story: Story, events: readonly RunEvent[]): Story {
  const fresh = events.filter((event) => event.seq > story.lastSeq);
  if (fresh.length === 0) return story;
  const next = { ...story, trials: [...story.trials], log: [...story.log] };
  for (const event of fresh) take(next, event);
  return next;
}

function take(story: Story, { seq, at, kind, data }: RunEvent): void {
  story.lastSeq = seq;
  if (kind === "running") beginAttempt(story, at);
  if (typeof data.message === "string" && data.message !== "") story.message = data.message;
  if (typeof data.progress === "number") story.progress = Math.max(story.progress, data.progress);
  story.elapsed = numberOr(data.elapsed_seconds, story.elapsed);
  if (kind === "stage") story.stage = String(data.stage);
  if (kind === "profiled") beProfiled(story, data);
  if (kind === "trial") story.trials.push(trialOf(data, story.trials.length + 1));
  if (kind === "finished") story.metrics = (data.metrics ?? null) as Metric[] | null;
  if (kind !== "tick") story.log.push({ seq, at, text: spellEvent(kind, data) });
}

/** Another worker begins from the start: what the first one tried is not part of what it finds. */
function beginAttempt(story: Story, at: string): void {
  const { lastSeq, log, attempt } = story;
  Object.assign(story, { ...UNTOLD, lastSeq, log, trials: [], attempt: attempt + 1, startedAt: at });
}

function beProfiled(story: Story, data: RunEvent["data"]): void {
  story.task = (data.task ?? null) as Task | null;
  story.rows = numberOr(data.rows, null);
  story.warnings = Array.isArray(data.warnings) ? data.warnings.map(String) : [];
  const columns = Array.isArray(data.columns) ? data.columns : [];
  story.features = columns.filter((each) => (each as { kind?: unknown }).kind !== null).length;
}

function trialOf(data: RunEvent["data"], number: number): Trial {
  return {
    number,
    recipe: String(data.recipe),
    parameters: (data.parameters ?? {}) as Record<string, unknown>,
    score: numberOr(data.score, null),
    isPruned: data.pruned === true,
    seconds: numberOr(data.seconds, 0),
    elapsed: numberOr(data.elapsed_seconds, 0),
  };
}

function numberOr<T>(value: unknown, otherwise: T): number | T {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}

const KINDS: Record<string, string> = {
  queued: "Waiting for a worker",
  running: "A worker has taken it up",
  succeeded: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
};

function spellEvent(kind: string, data: RunEvent["data"]): string {
  const said = data.reason ?? data.message;
  return typeof said === "string" && said !== "" ? said : (KINDS[kind] ?? kind);
}

/** The name of the score that the search goes by. */
export function metricOf(options: Record<string, unknown>, task: Task | null): string {
  if (typeof options.metric === "string") return options.metric;
  return task === "regression" ? "r2" : "log_loss";
}

/** Best first; trials that were given up come behind those that were not. */
export function ranked(trials: readonly Trial[], metric: string): Trial[] {
  const sign = isLoss(metric) ? 1 : -1;
  const place = (trial: Trial) => (trial.score === null ? Number.POSITIVE_INFINITY : sign * trial.score);
  return [...trials].sort((a, b) => Number(a.isPruned) - Number(b.isPruned) || place(a) - place(b));
}

export function bestOf(trials: readonly Trial[], metric: string): Trial | null {
  const first = ranked(trials, metric)[0];
  return first && !first.isPruned && first.score !== null ? first : null;
}

/** What a model without insight scores. */
export function baselineOf(trials: readonly Trial[]): number | null {
  return trials.find((trial) => trial.recipe === BASELINE)?.score ?? null;
}

export interface ChartData {
  /** From the worst shown to the best, upwards. */
  from: number;
  to: number;
  dots: { trial: Trial; y: number; isCut: boolean }[];
  /** The best so far after each trial, from the first complete one on. */
  best: { number: number; y: number }[];
  baseline: number | null;
}

const MARGIN = 0.08;

/**
 * Lay the trials out on a line of scores, 0 the worst shown and 1 the best. What is far worse than the baseline would
 * press everything else together: it is shown at the edge.
 */
export function chartData(trials: readonly Trial[], metric: string): ChartData | null {
  const sign = isLoss(metric) ? -1 : 1;
  const scored = trials.filter((trial): trial is Trial & { score: number } => trial.score !== null);
  if (scored.length === 0) return null;
  const baseline = baselineOf(scored);
  const goods = scored.map((trial) => sign * trial.score).sort((a, b) => a - b);
  const top = goods.at(-1) ?? 0;
  const quarter = goods[Math.floor(goods.length / 4)] ?? top;
  const floor = Math.min(baseline === null ? quarter : sign * baseline, quarter);
  const reach = top - floor || Math.abs(top) * 0.1 || 1;
  const low = Math.max(goods[0] ?? floor, floor - reach * 0.5);
  // No score is better than perfect: 0 for a loss, 1 for all others.
  const [bottom, ceiling] = [low - reach * MARGIN, Math.min(top + reach * MARGIN, isLoss(metric) ? 0 : 1)];
  const y = (score: number) => Math.min(1, Math.max(0, (sign * score - bottom) / (ceiling - bottom)));
  const best: ChartData["best"] = [];
  let reached = Number.NEGATIVE_INFINITY;
  for (const trial of scored) {
    if (!trial.isPruned) reached = Math.max(reached, sign * trial.score);
    if (Number.isFinite(reached)) best.push({ number: trial.number, y: y(sign * reached) });
  }
  return {
    from: sign * bottom,
    to: sign * ceiling,
    dots: scored.map((trial) => ({ trial, y: y(trial.score), isCut: sign * trial.score < low })),
    best,
    baseline: baseline === null ? null : y(baseline),
  };
}
