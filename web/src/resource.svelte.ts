/** Something to load: its value, its failure, and a way to try again. */

import { Problem } from "./problem";

export interface Resource<T> {
  readonly value: T | null;
  readonly problem: Problem | null;
  reload(): void;
  stop(): void;
}

/** Load at once; when the connection comes back after a failure, load again by itself. */
export function load<T>(fetcher: (signal: AbortSignal) => Promise<T>, known: T | null = null): Resource<T> {
  let value = $state.raw<T | null>(known);
  let problem = $state.raw<Problem | null>(null);
  let controller = new AbortController();

  async function run(): Promise<void> {
    controller.abort();
    controller = new AbortController();
    const { signal } = controller;
    try {
      const loaded = await fetcher(signal);
      if (signal.aborted) return;
      value = loaded;
      problem = null;
    } catch (error) {
      if (signal.aborted) return;
      problem = Problem.from(error);
    }
  }

  const onOnline = () => {
    if (problem) void run();
  };
  addEventListener("online", onOnline);
  void run();

  return {
    get value() {
      return value;
    },
    get problem() {
      return problem;
    },
    reload() {
      problem = null;
      void run();
    },
    stop() {
      removeEventListener("online", onOnline);
      controller.abort();
    },
  };
}
