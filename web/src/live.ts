/**
 * Ask for the newest input only, as often as the server can keep up.
 *
 * One request is under way at a time; what changes meanwhile is asked next, once, with its newest state. A request
 * that has been overtaken and is slow is given up. So a dragged slider is answered while it moves, at the pace of the
 * connection, and the last state is always answered.
 */

/** Between two requests: two frames, so that a drag stays fluid and one visitor stays below 30 requests a second. */
const GAP_MS = 34;
/** How long an overtaken request may hold up its successor. */
const PATIENCE_MS = 600;

export interface Live<I> {
  ask(input: I): void;
  stop(): void;
}

export interface LiveHandlers<I, O> {
  send: (input: I, signal: AbortSignal) => Promise<O>;
  onAnswer: (answer: O, tookMs: number) => void;
  onError: (error: unknown) => void;
}

/** Start answering inputs given to `ask`; `stop` ends it and drops what is under way. */
export function startLive<I, O>({ send, onAnswer, onError }: LiveHandlers<I, O>): Live<I> {
  let waiting: { input: I } | null = null;
  let flight: { controller: AbortController; startedAt: number } | null = null;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let lastSentAt = Number.NEGATIVE_INFINITY;

  function schedule(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (!waiting) return;
    const now = performance.now();
    const openAt = flight ? flight.startedAt + PATIENCE_MS : lastSentAt + GAP_MS;
    timer = setTimeout(dispatch, Math.max(0, openAt - now));
  }

  function dispatch(): void {
    timer = null;
    if (!waiting) return;
    const { input } = waiting;
    waiting = null;
    flight?.controller.abort();
    void fly(input);
  }

  async function fly(input: I): Promise<void> {
    const mine = { controller: new AbortController(), startedAt: performance.now() };
    flight = mine;
    lastSentAt = mine.startedAt;
    try {
      const answer = await send(input, mine.controller.signal);
      if (flight === mine) onAnswer(answer, performance.now() - mine.startedAt);
    } catch (error) {
      if (flight === mine) onError(error);
    } finally {
      if (flight === mine) {
        flight = null;
        schedule();
      }
    }
  }

  return {
    ask(input) {
      waiting = { input };
      schedule();
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      waiting = null;
      flight?.controller.abort();
      flight = null;
    },
  };
}
