/** Thumbs: what people thought of an answer. */

import { askAs } from "../api";
import { Problem } from "../problem";
import type { ProblemBody } from "../types";

export type Opinion = "good" | "bad";

const TRIES = 5;
const PAUSE_MS = 500;

/** Say whether an answer was good; `id` is the answer's. The last word stands. */
export async function giveOpinion(id: string, opinion: Opinion): Promise<void> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ prediction_id: id, opinion });
  // The log of predictions is written after the answer: whoever is quick may be before it.
  for (let tries = 1; ; tries += 1) {
    const { status, text } = await askAs("session", "POST", { path: "/api/feedback", headers, body });
    if (status < 400) return;
    if (status !== 404 || tries === TRIES) throw refusal(status, text);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

function refusal(status: number, text: string): Problem {
  let said: Partial<ProblemBody> = {};
  try {
    said = JSON.parse(text) as Partial<ProblemBody>;
  } catch {
    // Something on the way answered in other words.
  }
  return new Problem(said.detail || `The server answered with status ${status}.`, {
    status,
    code: said.code ?? "refused",
  });
}
