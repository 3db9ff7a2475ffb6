/**
 * Follows a run's events: over a WebSocket, where there are none over server-sent events, and else by asking again and
 * again.
 *
 * Whatever breaks, the next connection begins behind the last event that came: nothing is missed and nothing is told
 * twice. A laptop that slept, another network and an ended session are all just breaks.
 */

import { accessToken, tokenInstead } from "../account/session.svelte";
import { silence } from "../api";
import { Problem } from "../problem";
import { eventsAddress, listEvents, type Run, type RunEvent, type RunEvents, streamEvents } from "./calls";
import { readEvents } from "./sse";

/** How the events come. */
export type Link = "connecting" | "socket" | "stream" | "asking" | "lost" | "over";

export interface Listener {
  onEvents: (events: RunEvent[]) => void;
  onRun: (run: Run) => void;
  onLink: (link: Link) => void;
  /** Why it cannot be followed just now, or at all; null when it can again. */
  onProblem: (problem: Problem | null) => void;
}

/** What following needs, so that tests can do it otherwise. */
export interface Means {
  list: (id: string, after: number, signal: AbortSignal) => Promise<RunEvents>;
  stream: (id: string, after: number, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>;
  open: (address: string) => WebSocket;
  token: () => Promise<string | null>;
  tokenInstead: (refused: string) => Promise<string | null>;
}

const MEANS: Means = {
  list: listEvents,
  stream: streamEvents,
  open: (address) => new WebSocket(address),
  token: accessToken,
  tokenInstead,
};

export const ASK_EVERY_MS = 1500;
/** A beat comes every ten seconds; after this long without one, nobody is there any more. */
export const SILENT_MS = 25_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** A connection is opened this often at most. */
const SHORTEST_MS = 1000;
/** So often a way of connecting may fail without a single event before the next one is taken. */
const TRIES = 2;
const PER_CALL = 500;
const COME_BACK = 1012;
const LAST_KINDS = new Set(["succeeded", "failed", "cancelled"]);

export interface Following {
  /** Try now what would be tried later. */
  hurry: () => void;
  stop: () => void;
}

export function followRun(id: string, listener: Listener, means: Means = MEANS): Following {
  const follower = new Follower(id, listener, means);
  void follower.run();
  return follower;
}

class Follower implements Following {
  #after = 0;
  #isOver = false;
  #isStopped = false;
  #failures = { socket: 0, stream: 0 };
  #wait = FIRST_WAIT_MS;
  #controller = new AbortController();
  #wake: (() => void) | null = null;
  #heardAt = 0;

  constructor(
    readonly id: string,
    readonly listener: Listener,
    readonly means: Means,
  ) {
    addEventListener("online", this.hurry);
    document.addEventListener("visibilitychange", this.#onVisible);
  }

  hurry = (): void => {
    this.#wait = FIRST_WAIT_MS;
    this.#wake?.();
  };

  stop = (): void => {
    this.#isStopped = true;
    removeEventListener("online", this.hurry);
    document.removeEventListener("visibilitychange", this.#onVisible);
    this.#controller.abort();
    this.#wake?.();
  };

  /** After a sleep the connection may look open and be dead. */
  #onVisible = (): void => {
    if (document.visibilityState !== "visible") return;
    if (performance.now() - this.#heardAt > SILENT_MS) this.#controller.abort();
    this.hurry();
  };

  async run(): Promise<void> {
    this.listener.onLink("connecting");
    while (!this.#isStopped) {
      this.#controller = new AbortController();
      try {
        await this.#catchUp();
        if (this.#isOver) break;
        this.listener.onProblem(null);
        await this.#listen();
      } catch (error) {
        if (this.#isStopped) return;
        const problem = Problem.from(error);
        if (isFinal(problem)) {
          this.listener.onLink("lost");
          this.listener.onProblem(problem);
          return this.stop();
        }
        await this.#pause(problem);
      }
    }
    if (!this.#isStopped) this.listener.onLink("over");
    this.stop();
  }

  /** Learn where the run stands, and all that has happened. */
  async #catchUp(): Promise<void> {
    for (let count = PER_CALL; count >= PER_CALL; ) {
      const { events, run } = await this.means.list(this.id, this.#after, this.#controller.signal);
      count = events.length;
      this.#hear(events);
      this.listener.onRun(run);
      this.#isOver = count < PER_CALL && LAST_KINDS.has(run.status);
    }
    this.#wait = FIRST_WAIT_MS;
  }

  /** Hear events by the best way that works, until the connection ends. */
  async #listen(): Promise<void> {
    if (this.#failures.socket < TRIES) return this.#attempt("socket", () => this.#overSocket());
    if (this.#failures.stream < TRIES) return this.#attempt("stream", () => this.#overStream());
    this.listener.onLink("asking");
    await this.#sleep(ASK_EVERY_MS);
  }

  async #attempt(way: "socket" | "stream", connect: () => Promise<void>): Promise<void> {
    const [startedAt, before] = [performance.now(), this.#heardAt];
    try {
      await connect();
    } finally {
      // Even an orderly end counts as a failure where nothing came: something on the way may hold all back.
      this.#failures[way] = this.#heardAt === before ? this.#failures[way] + 1 : 0;
    }
    // Whoever is sent away at once does not come back at once.
    await this.#sleep(startedAt + SHORTEST_MS - performance.now());
  }

  async #overSocket(): Promise<void> {
    const token = await this.means.token();
    if (!token) throw new Problem("Your session has ended.", { status: 401, code: "not_signed_in" });
    const refused = await this.#converse(token);
    if (!refused) return;
    const other = refused.status === 401 ? await this.means.tokenInstead(token) : null;
    if (!other || other === token) throw refused;
  }

  /** Greet and listen until the server closes; a refusal is returned, a broken connection thrown. */
  #converse(token: string): Promise<Problem | null> {
    const { signal } = this.#controller;
    return new Promise((resolve, reject) => {
      const socket = this.means.open(eventsAddress(this.id));
      let refusal: Problem | null = null;
      let timer = setTimeout(hangUp, SILENT_MS);
      function hangUp(): void {
        socket.close();
        reject(silence(true));
      }
      signal.addEventListener("abort", hangUp, { once: true });
      socket.onopen = () => socket.send(JSON.stringify({ access_token: token, after: this.#after }));
      socket.onmessage = ({ data }) => {
        clearTimeout(timer);
        timer = setTimeout(hangUp, SILENT_MS);
        refusal = this.#takeMessage(String(data)) ?? refusal;
      };
      socket.onclose = ({ code }) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", hangUp);
        if (refusal) resolve(refusal);
        else if (code === 1000 || code === COME_BACK) resolve(null);
        else reject(silence(false));
      };
    });
  }

  #takeMessage(text: string): Problem | null {
    const message = JSON.parse(text) as Partial<RunEvent> & { status?: number; detail?: string; code?: string };
    if (typeof message.status === "number" && message.code) {
      return new Problem(message.detail ?? "", { status: message.status, code: message.code });
    }
    this.listener.onLink("socket");
    this.#hear(typeof message.seq === "number" ? [message as RunEvent] : []);
    return null;
  }

  async #overStream(): Promise<void> {
    const stream = await this.means.stream(this.id, this.#after, this.#controller.signal);
    let timer = setTimeout(() => this.#controller.abort(), SILENT_MS);
    try {
      for await (const event of readEvents(stream)) {
        clearTimeout(timer);
        timer = setTimeout(() => this.#controller.abort(), SILENT_MS);
        this.listener.onLink("stream");
        this.#hear(event ? [event] : []);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #hear(events: RunEvent[]): void {
    this.#heardAt = performance.now();
    const fresh = events.filter((event) => event.seq > this.#after);
    const last = fresh.at(-1);
    if (!last) return;
    this.#after = last.seq;
    this.listener.onEvents(fresh);
  }

  async #pause(problem: Problem): Promise<void> {
    // A connection that broke is opened again at once and in silence; only what goes on is worth a word.
    if (this.#wait > FIRST_WAIT_MS || !navigator.onLine) {
      this.listener.onLink("lost");
      this.listener.onProblem(problem);
    }
    const wait = problem.retryAfterSeconds ? problem.retryAfterSeconds * 1000 : this.#wait;
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
    await this.#sleep(wait);
  }

  #sleep(ms: number): Promise<void> {
    if (this.#isStopped || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Whether asking again can never help: it is gone, or not to be seen, or nobody is signed in. */
function isFinal({ status }: Problem): boolean {
  return status === 401 || status === 403 || status === 404 || status === 422;
}
