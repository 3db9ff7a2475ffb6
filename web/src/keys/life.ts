/** How long a key works, in words and in times. */

import { formatAge, formatDate } from "../numbers";
import type { Key } from "./calls";

export interface Choice {
  value: string;
  label: string;
}

const DAY_MS = 86_400_000;

/** Days until a new key ends; empty: it does not. */
export const LIVES: readonly Choice[] = [
  { value: "7", label: "in 7 days" },
  { value: "30", label: "in 30 days" },
  { value: "90", label: "in 90 days" },
  { value: "365", label: "in a year" },
  { value: "", label: "never: until it is revoked" },
];

/** Hours for which a replaced key goes on beside its successor. */
export const OVERLAPS: readonly Choice[] = [
  { value: "0", label: "not at all: it ends at once" },
  { value: "1", label: "for an hour" },
  { value: "24", label: "for a day" },
  { value: "168", label: "for a week" },
  { value: "720", label: "for 30 days" },
];

export function endOf(days: string, now: number = Date.now()): string | null {
  return days === "" ? null : new Date(now + Number(days) * DAY_MS).toISOString();
}

export type State = "working" | "ending" | "revoked" | "expired";

/** A key that ends within a week is worth a look. */
const SOON_MS = 7 * DAY_MS;

export function stateOf(key: Key, now: number = Date.now()): State {
  if (key.revoked_at) return "revoked";
  if (!key.expires_at) return "working";
  const left = Date.parse(key.expires_at) - now;
  if (left <= 0) return "expired";
  return left < SOON_MS ? "ending" : "working";
}

export function isOver(key: Key, now: number = Date.now()): boolean {
  return ["revoked", "expired"].includes(stateOf(key, now));
}

export function endInWords(key: Key): string {
  if (key.revoked_at) return `revoked ${formatAge(key.revoked_at)}`;
  if (!key.expires_at) return "never";
  return stateOf(key) === "expired" ? `ended ${formatAge(key.expires_at)}` : formatDate(key.expires_at);
}
