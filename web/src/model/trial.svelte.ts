/** One visitor trying one model: the row as edited, and the newest answer to it. */

import { SvelteSet } from "svelte/reactivity";
import { type ModelRef, predict } from "../api";
import { type Place, startPlace, type Where } from "../device/place.svelte";
import { defaultRow, notesByFeature } from "../inputs";
import { startLive } from "../live";
import { Problem } from "../problem";
import type { Answer, Card, Prediction, Row, Value } from "../types";

const MIN_RETRY_SECONDS = 2;
/** Names of failures after which this device goes on, if it has the model. */
const NO_SERVER = new Set(["offline", "unreachable"]);

/** An answer, and how it came about. */
export interface Reply {
  prediction: Prediction;
  where: Where;
  /** From asking to the answer, as the visitor felt it. */
  tookMs: number;
  /** What the server said, if it was the one to answer. */
  answer: Answer | null;
}

export interface Trial {
  readonly row: Row;
  /** How often the row was replaced as a whole. */
  readonly epoch: number;
  /** The column that was changed last by itself. */
  readonly touched: string | null;
  readonly reply: Reply | null;
  readonly prediction: Prediction | null;
  readonly place: Place;
  /** What failed as a whole; faults of single fields are in `faults`. */
  readonly problem: Problem | null;
  /** By column: what the server refuses. */
  readonly faults: Map<string, string>;
  /** By column: what the server remarks. */
  readonly remarks: Map<string, string>;
  /** True while a field holds what cannot be used: the answer then belongs to the row before. */
  readonly isBehind: boolean;
  set(name: string, value: Value): void;
  /** Note whether a field holds text that is no value. */
  hold(name: string, isHeld: boolean): void;
  fill(row: Row): void;
  move(where: Where): Promise<void>;
  retry(): void;
  stop(): void;
}

export function startTrial(ref: ModelRef, card: Card, first: Row | null): Trial {
  let row = $state<Row>(first ?? defaultRow(card));
  let epoch = $state(0);
  let touched = $state<string | null>(null);
  let reply = $state.raw<Reply | null>(null);
  let problem = $state.raw<Problem | null>(null);
  let faults = $state.raw(new Map<string, string>());
  let remarks = $state.raw(new Map<string, string>());
  const held = new SvelteSet<string>();
  const place = startPlace(ref, card);
  let mayTakeOver = true;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;

  const live = startLive<Row, Omit<Reply, "tookMs">>({
    async send(input, signal) {
      const here = await place.predict(input);
      if (here) return { prediction: here, where: "device", answer: null };
      const answer = await predict(ref, [input], signal);
      const [prediction] = answer.predictions;
      if (!prediction) throw new Problem("The answer holds no prediction.", { status: 502, code: "bad_answer" });
      return { prediction, where: "server", answer };
    },
    onAnswer(newest, tookMs) {
      reply = { ...newest, tookMs };
      problem = null;
      faults = new Map();
      remarks = notesByFeature(newest.answer?.warnings ?? []);
    },
    onError(error) {
      const failure = Problem.from(error);
      faults = notesByFeature(failure.errors);
      problem = faults.size > 0 && faults.size === failure.errors.length ? null : failure;
      // It was here when the page opened: what it said of the row is no longer anybody's answer.
      if (failure.status === 404) reply = null;
      if (NO_SERVER.has(failure.code) && mayTakeOver) void takeOver();
      if (failure.retryAfterSeconds !== null) {
        retryTimer = setTimeout(ask, Math.max(MIN_RETRY_SECONDS, failure.retryAfterSeconds) * 1000);
      }
    },
  });

  function ask(): void {
    clearTimeout(retryTimer);
    live.ask($state.snapshot(row));
  }

  async function move(where: Where): Promise<void> {
    await place.choose(where);
    ask();
  }

  /** Go on here without the server; tried once for each time that it is gone. */
  async function takeOver(): Promise<void> {
    mayTakeOver = false;
    if (place.where === "server" && (await place.isReady())) await move("device");
  }

  const onOnline = () => {
    mayTakeOver = true;
    ask();
  };
  addEventListener("online", onOnline);
  ask();

  return {
    get row() {
      return row;
    },
    get epoch() {
      return epoch;
    },
    get touched() {
      return touched;
    },
    get reply() {
      return reply;
    },
    get prediction() {
      return reply?.prediction ?? null;
    },
    place,
    get problem() {
      return problem;
    },
    get faults() {
      return faults;
    },
    get remarks() {
      return remarks;
    },
    get isBehind() {
      return held.size > 0 || faults.size > 0;
    },
    set(name, value) {
      if (row[name] === value) return;
      row[name] = value;
      touched = name;
      ask();
    },
    hold(name, isHeld) {
      if (isHeld) held.add(name);
      else held.delete(name);
    },
    fill(next) {
      row = { ...next };
      epoch += 1;
      ask();
    },
    move,
    retry: ask,
    stop() {
      clearTimeout(retryTimer);
      removeEventListener("online", onOnline);
      live.stop();
      place.stop();
    },
  };
}
