/** Events, states and waiting times in words. */

import type { EventType, State, Subscription } from "./calls";

export const EVENTS: readonly { type: EventType; label: string }[] = [
  { type: "run.succeeded", label: "A training run made a version" },
  { type: "run.failed", label: "A training run failed" },
  { type: "version.promoted", label: "Another version answers, or an alias moved" },
  { type: "prediction.created", label: "Predictions were made (many in one message)" },
  { type: "drift.detected", label: "Inputs or answers have drifted" },
  { type: "quota.near", label: "A quota is nearly used up" },
  { type: "hook.answered", label: "An incoming webhook was answered" },
];

export const STATES: readonly { value: State | ""; label: string }[] = [
  { value: "", label: "All" },
  { value: "pending", label: "Waiting" },
  { value: "delivered", label: "Delivered" },
  { value: "failed", label: "Failing" },
  { value: "dead", label: "Given up" },
];

/** Colours by meaning. */
export const TONES: Record<State, string> = {
  pending: "bg-sunken text-muted",
  delivered: "bg-accent-soft text-accent",
  failed: "bg-warn-soft text-warn",
  dead: "bg-bad-soft text-bad",
};

export const OVERLAPS: readonly { value: string; label: string }[] = [
  { value: "0", label: "not at all" },
  { value: "1", label: "for an hour" },
  { value: "24", label: "for a day" },
  { value: "168", label: "for a week" },
];

export const SPANS: readonly { value: string; label: string }[] = [
  { value: "1", label: "in the last hour" },
  { value: "24", label: "in the last day" },
  { value: "168", label: "in the last week" },
  { value: "720", label: "in the last 30 days" },
];

export function stateLabel(state: State): string {
  return STATES.find((each) => each.value === state)?.label ?? state;
}

/** Where a receiver lives, without its path. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

export type Health = "good" | "failing" | "paused" | "off";

export function healthOf(subscription: Subscription, now: number = Date.now()): Health {
  if (!subscription.is_enabled) return "off";
  if (subscription.resume_at && Date.parse(subscription.resume_at) > now) return "paused";
  return subscription.failing_since ? "failing" : "good";
}

export const HEALTH: Record<Health, { label: string; tone: string }> = {
  good: { label: "Working", tone: "bg-accent-soft text-accent" },
  failing: { label: "Failing", tone: "bg-warn-soft text-warn" },
  paused: { label: "Asked for a pause", tone: "bg-warn-soft text-warn" },
  off: { label: "Off", tone: "bg-sunken text-muted" },
};

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const relative = new Intl.RelativeTimeFormat("en");

/** "in 5 minutes"; what is due is due "now". */
export function formatWait(at: string, now: number = Date.now()): string {
  const seconds = (Date.parse(at) - now) / 1000;
  for (const [unit, size] of UNITS) {
    if (seconds >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return "now";
}

/** A body as it is read best; what is sent has no line breaks. */
export function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
