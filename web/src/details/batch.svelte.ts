/** Predict a whole table, a few hundred rows at a time; rows that cannot be used do not stop the others. */

import { type ModelRef, predict } from "../api";
import { Problem } from "../problem";
import type { Card } from "../types";
import { faultsByRow, type Outcome, type Table, toRow } from "./table";

const CHUNK_ROWS = 500;

export interface Batch {
  readonly table: Table;
  readonly outcomes: Outcome[];
  readonly done: number;
  readonly running: boolean;
  readonly problem: Problem | null;
  resume(): void;
  stop(): void;
}

export function startBatch(ref: ModelRef, card: Card, table: Table): Batch {
  const outcomes: Outcome[] = [];
  let done = $state(0);
  let running = $state(false);
  let problem = $state.raw<Problem | null>(null);
  const controller = new AbortController();

  async function run(): Promise<void> {
    running = true;
    problem = null;
    try {
      while (done < table.rows.length) {
        const end = Math.min(table.rows.length, done + CHUNK_ROWS);
        const chunk = Array.from({ length: end - done }, (_, offset) => done + offset);
        outcomes.push(...(await predictChunk(chunk)));
        done = end;
      }
    } catch (error) {
      if (controller.signal.aborted) return;
      problem = Problem.from(error);
    } finally {
      running = false;
    }
  }

  /** Ask for the rows that are still good until all of them are answered; each round takes out the ones named bad. */
  async function predictChunk(chunk: number[]): Promise<Outcome[]> {
    const found = new Map<number, Outcome>();
    let open = chunk;
    while (open.length > 0) {
      try {
        const answer = await predict(
          ref,
          open.map((index) => toRow(table, index, card)),
          controller.signal,
        );
        open.forEach((index, at) => {
          found.set(index, { prediction: answer.predictions[at] ?? null, fault: null });
        });
        break;
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        // Wide rows: as many as fit into one request are asked at a time.
        if (error.status === 413 && open.length > 1) return await inHalves(chunk);
        const faults = error.status === 413 ? new Map([[0, error.message]]) : faultsByRow(error.errors);
        if (faults.size === 0) throw error;
        for (const [at, fault] of faults) found.set(open[at] ?? -1, { prediction: null, fault });
        open = open.filter((_, at) => !faults.has(at));
      }
    }
    return chunk.map((index) => found.get(index) ?? { prediction: null, fault: "no answer" });
  }

  async function inHalves(chunk: number[]): Promise<Outcome[]> {
    const middle = Math.ceil(chunk.length / 2);
    return [...(await predictChunk(chunk.slice(0, middle))), ...(await predictChunk(chunk.slice(middle)))];
  }

  void run();
  return {
    table,
    outcomes,
    get done() {
      return done;
    },
    get running() {
      return running;
    },
    get problem() {
      return problem;
    },
    resume() {
      void run();
    },
    stop() {
      controller.abort();
    },
  };
}
