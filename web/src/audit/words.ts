/** What an entry of the audit log says, in a line. */

import { formatDate } from "../numbers";
import type { Entry } from "./calls";

/** The parts of the log that people look for, by how their actions begin. */
export const KINDS: readonly { value: string; label: string }[] = [
  { value: "", label: "Everything" },
  { value: "promotion.", label: "Promotions" },
  { value: "member.", label: "Members" },
  { value: "visibility.", label: "Visibility" },
  { value: "role.", label: "Roles" },
  { value: "key.", label: "API keys" },
  { value: "hook.", label: "Hooks" },
  { value: "subscription.", label: "Subscriptions" },
];

/** `promotion.rolled_back` as "promotion rolled back". */
export function actionInWords(action: string): string {
  return action.replaceAll(/[._]/g, " ");
}

/** The facts of an entry, in its own words. What is not set, and ids of what is named beside them, are left out. */
export function factsOf(entry: Entry): { name: string; value: string }[] {
  const { from, to, ...others } = entry.data;
  const change = from && to ? [{ name: "from", value: `${inWords(from)} to ${inWords(to)}` }] : [];
  const told: [string, unknown][] = change.length > 0 ? Object.entries(others) : Object.entries(entry.data);
  const facts = told
    .filter(([name, value]) => value !== null && value !== "" && !name.endsWith("_id"))
    .map(([name, value]) => ({
      name: name.replaceAll("_", " ").replace(/ at$/, ""),
      value: name.endsWith("_at") ? formatDate(String(value)) : inWords(value),
    }));
  return [...change, ...facts];
}

function inWords(value: unknown): string {
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
