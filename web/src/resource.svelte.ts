/** Something to load: its value, its failure, and a way to try again. */

import { SIGNED_IN_AGAIN } from "./account/session.svelte";
import { Problem } from "./problem";

export interface Resource<T> {
  readonly value: T | null;
  readonly problem: Problem | null;
  reload(): void;
  stop(): void;
}

/**
 * Load at once; when the connection or the session comes back after a failure, load again by itself. `again` tells after how many
 * milliseconds to look once more at what is still changing.
 */
export function load<T>(
  fetcher: (signal: AbortSignal) => Promise<T>,
  known: T | null = null,
  again: (value: T) => number | null = () => null,
): Resource<T> {
  let value = $state.raw<T | null>(known);
  let problem = $state.raw<Problem | null>(null);
  let controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function run(): Promise<void> {
    clearTimeout(timer);
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
    const wait = value === null ? null : again(value);
    if (wait !== null) timer = setTimeout(run, Math.max(wait, (problem?.retryAfterSeconds ?? 0) * 1000));
  }

  const onReturn = () => {
    if (problem) void run();
  };
  addEventListener("online", onReturn);
  addEventListener(SIGNED_IN_AGAIN, onReturn);
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
      removeEventListener("online", onReturn);
      removeEventListener(SIGNED_IN_AGAIN, onReturn);
      clearTimeout(timer);
      controller.abort();
    },
  };
}
