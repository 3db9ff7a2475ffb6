/** Where a trial's rows are answered: by the server, or on this device once the engine is here. */

import type { ModelRef } from "../api";
import { Problem } from "../problem";
import type { Card, Prediction, Row } from "../types";
import type { Engine } from "./engine";

export type Where = "server" | "device";

export interface Place {
  /** Where the next row is answered. */
  readonly where: Where;
  /** Share of engine and model that has come, while they come. */
  readonly loading: number | null;
  readonly problem: Problem | null;
  choose(where: Where): Promise<void>;
  /** Tell whether this device can go on without a network. */
  isReady(): Promise<boolean>;
  /** Answer on this device; null while the server answers, and from when this device cannot go on. */
  predict(row: Row): Promise<Prediction | null>;
  stop(): void;
}

export function startPlace(ref: ModelRef, card: Card): Place {
  let where = $state<Where>("server");
  let loading = $state<number | null>(null);
  let problem = $state.raw<Problem | null>(null);
  let engine: Engine | null = null;
  let controller = new AbortController();

  async function open(): Promise<void> {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    loading = 0;
    try {
      const { openEngine } = await import("./engine");
      const opened = await openEngine(ref, card, (share) => (loading = share), signal);
      if (signal.aborted) return void opened.close();
      engine = opened;
      where = "device";
    } catch (error) {
      if (!signal.aborted) problem = Problem.from(error);
    } finally {
      if (!signal.aborted) loading = null;
    }
  }

  /** Leave the rows to the server again. */
  function giveUp(reason: string): void {
    void engine?.close().catch(() => undefined);
    engine = null;
    where = "server";
    problem = new Problem(`${reason} The server answers.`, { status: 0, code: "device" });
  }

  return {
    get where() {
      return where;
    },
    get loading() {
      return loading;
    },
    get problem() {
      return problem;
    },
    async choose(wanted) {
      problem = null;
      if (wanted === "server") {
        controller.abort();
        loading = null;
        where = "server";
      } else if (engine) where = "device";
      else await open();
    },
    async isReady() {
      if (engine) return true;
      const kept = await import("./kept").catch(() => null);
      return (await kept?.isKept(ref, card)) ?? false;
    },
    async predict(row) {
      if (where === "server" || !engine) return null;
      try {
        return (await engine.predict([row]))[0] ?? null;
      } catch (error) {
        if (error instanceof Problem) throw error;
        giveUp("The model stopped on this device.");
        return null;
      }
    },
    stop() {
      controller.abort();
      void engine?.close();
    },
  };
}
