/** Where a data set stands, in a word and in a sentence. */

import type { Dataset } from "./calls";

export interface State {
  label: string;
  tone: string;
  /** What is wrong, or what is awaited. */
  detail: string | null;
}

export function stateOf(dataset: Dataset): State {
  if (dataset.status === "pending") {
    return {
      label: "Not complete",
      tone: "bg-sunken text-muted",
      detail: "Its upload did not end; upload the file again.",
    };
  }
  if (dataset.status === "failed") return { label: "Failed", tone: "bg-bad-soft text-bad", detail: dataset.reason };
  if (dataset.profile_status === "failed") {
    return { label: "Cannot be read", tone: "bg-bad-soft text-bad", detail: dataset.profile_reason };
  }
  if (dataset.profile_status === "queued") {
    return { label: "Being looked at", tone: "bg-warn-soft text-warn", detail: null };
  }
  return { label: "Ready", tone: "bg-accent-soft text-accent", detail: null };
}

/** Whether it will change by itself within moments. */
export function isMoving(dataset: Dataset): boolean {
  return dataset.profile_status === "queued";
}
