/** What an entry of the audit log says, in a line. */

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

/** The facts of an entry, in its own words; what is not set is left out. */
export function factsOf(entry: Entry): { name: string; value: string }[] {
  return Object.entries(entry.data)
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => ({
      name: name.replaceAll("_", " "),
      value: typeof value === "object" ? JSON.stringify(value) : String(value),
    }));
}
