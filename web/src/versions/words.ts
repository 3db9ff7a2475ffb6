/** Comparisons and moves in words. */

import { formatMetric } from "../metrics";
import { formatPercent, plural } from "../numbers";
import type { ComparedMetric, Promotion, ReplayResult } from "./calls";

export const VERDICTS: Record<ComparedMetric["verdict"], string> = {
  better: "better",
  worse: "worse",
  unclear: "cannot be told apart",
};

/** "0.912 (0.88 to 0.94)". */
export function spelled(score: ComparedMetric["a"]): string {
  if (!score) return "not known";
  return `${formatMetric(score.value)} (${formatMetric(score.low)} to ${formatMetric(score.high)})`;
}

export function movedWords(promotion: Promotion): string {
  const { alias, from_version: from, to_version: to } = promotion;
  if (to === null) return `${alias} was given up; it was version ${from}`;
  if (from === null) return `${alias} is version ${to}`;
  return `${alias} went from version ${from} to ${to}`;
}

/** What a replay has shown, in a sentence that can be read before anything else. */
export function replayWords(result: ReplayResult): string {
  const rows = plural(result.rows, "row");
  if (result.rows === 0) return "There was no row that both versions can read.";
  const isAmount = result.changes.length === 0 && result.flips === 0 && result.score?.name !== "accuracy";
  const changed =
    result.flips > 0
      ? `${plural(result.flips, "answer")} of ${rows} would change (${formatPercent(result.flip_share)})`
      : isAmount
        ? `Over ${rows} the answers differ by ${formatMetric(result.mean_difference)} on average`
        : `No answer of ${rows} would change`;
  if (result.actuals === 0) return `${changed}. The truth of these rows is not known.`;
  const balance = `${plural(result.gains, "becomes", "become")} right and ${result.losses} wrong`;
  return `${changed}. Of ${plural(result.actuals, "row")} whose truth is known, ${balance}.`;
}

/** The moment that a field for date and time says, in the visitor's own zone; null while it says none. */
export function momentOf(text: string): Date | null {
  const moment = new Date(text);
  return text === "" || Number.isNaN(moment.getTime()) ? null : moment;
}

/** That moment as such a field wants it. */
export function fieldText(moment: Date): string {
  const local = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}
