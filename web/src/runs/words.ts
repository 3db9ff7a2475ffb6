/** States, stages and recipes in words. */

import type { RunStatus } from "./calls";

export const RUN_STATES: Record<RunStatus, { label: string; tone: string }> = {
  queued: { label: "Waiting", tone: "bg-sunken text-muted" },
  running: { label: "Training", tone: "bg-warn-soft text-warn" },
  succeeded: { label: "Done", tone: "bg-accent-soft text-accent" },
  failed: { label: "Failed", tone: "bg-bad-soft text-bad" },
  cancelled: { label: "Cancelled", tone: "bg-sunken text-muted" },
};

/** The stages in their order; some are passed over. */
export const STAGES: readonly { id: string; label: string }[] = [
  { id: "fetch", label: "Fetch" },
  { id: "profile", label: "Look" },
  { id: "search", label: "Search" },
  { id: "refit", label: "Train" },
  { id: "parity", label: "Certify" },
  { id: "evaluate", label: "Judge" },
  { id: "publish", label: "Publish" },
];

/** Stages that are shown under another's name. */
const WITHIN: Record<string, string> = { calibrate: "refit", export: "parity", refit_all: "evaluate" };

/** Place of a stage among those that are shown; -1 before the first. */
export function stagePlace(stage: string | null): number {
  const shown = stage === null ? null : (WITHIN[stage] ?? stage);
  return STAGES.findIndex((each) => each.id === shown);
}

export function recipeName(recipe: string): string {
  return recipe.replaceAll("_", " ");
}

/** Scores of which less is better. */
const LOSSES = new Set(["log_loss", "rmse", "mae"]);

export function isLoss(metric: string): boolean {
  return LOSSES.has(metric);
}

/** 8 s, 1 min 20 s, 1 h 5 min. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ""}`;
  return `${Math.floor(whole / 3600)} h${Math.floor((whole % 3600) / 60) ? ` ${Math.floor((whole % 3600) / 60)} min` : ""}`;
}
