/** Scores and use in words, and where scores lie between a useless and a perfect model. */

import { formatMs, plural } from "./numbers";
import type { Metric, Task, Traffic } from "./types";

const NAMES: Record<string, string> = {
  accuracy: "Accuracy",
  balanced_accuracy: "Balanced accuracy",
  log_loss: "Log loss",
  roc_auc: "ROC AUC",
  average_precision: "Average precision",
  f1: "F1",
  f1_macro: "F1 (macro)",
  brier: "Brier score",
  r2: "R²",
  mae: "Mean absolute error",
  rmse: "Root mean squared error",
  median_absolute_error: "Median absolute error",
};

const MEANINGS: Record<string, string> = {
  accuracy: "share of held-out rows with the right label",
  balanced_accuracy: "right labels, every class weighing the same",
  log_loss: "surprise at the truth; 0 is perfect",
  roc_auc: "how well true and false cases are told apart; 0.5 is a coin",
  r2: "share of the target's variation that is explained",
  mae: "how far off a prediction is, on average",
  rmse: "how far off a prediction is, large misses weighing more",
};

export const TASK_NAMES: Record<Task, string> = {
  binary: "Yes or no",
  multiclass: "Which one",
  regression: "How much",
};

export function metricName(name: string): string {
  return NAMES[name] ?? name.replaceAll("_", " ");
}

export function metricMeaning(name: string): string | null {
  return MEANINGS[name] ?? null;
}

/** The one score to show where there is room for one: what people can read without a manual comes first. */
export function headline(metrics: Metric[]): Metric | null {
  for (const name of ["accuracy", "r2"]) {
    const metric = metrics.find((entry) => entry.name === name);
    if (metric) return metric;
  }
  return metrics.find((metric) => metric.primary) ?? metrics[0] ?? null;
}

export function sameMetric(metrics: Metric[], name: string): Metric | null {
  return metrics.find((metric) => metric.name === name) ?? null;
}

/** True for scores that live between 0 and 1 with 1 as the best. */
export function isShare(metric: Metric): boolean {
  return metric.better === "higher" && metric.value <= 1 && metric.high <= 1;
}

export function formatMetric(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(3);
}

/** "3,400 predictions in 30 days, half within 0.8 ms": of the time in the function. */
export function trafficWords({ rows, p50_ms }: Traffic): string {
  const speed = p50_ms === null ? "" : `, half within ${formatMs(Math.max(0.1, p50_ms))}`;
  return `${plural(rows, "prediction")} in 30 days${speed}`;
}
