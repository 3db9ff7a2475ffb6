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
  /** Answer on this device; null while the server answers. */
  predict(row: Row): Promise<Prediction> | null;
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
    predict(row) {
      if (where === "server" || !engine) return null;
      return engine.predict([row]).then((predictions) => predictions[0] as Prediction);
    },
    stop() {
      controller.abort();
      void engine?.close();
    },
  };
}
