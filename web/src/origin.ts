/** Where a version comes from, and what can therefore be said of it. */

import type { Card } from "./types";

/** Whether the file was made elsewhere: nobody here knows what its training saw, or has judged it on labelled rows. */
export function isBrought(card: Card): boolean {
  return card.parity.basis === "runtime to runtime";
}
