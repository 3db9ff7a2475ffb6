/**
 * One file on its way to Storage: announced, sent, completed.
 *
 * Each step that is done stays done: after a lost connection or an ended session `start` goes on where it stopped. What
 * can never succeed is refused, and leaves nothing behind.
 */

import { Problem } from "../problem";
import type { AnnouncedDataset, Dataset } from "./calls";

export type Phase = "waiting" | "reading" | "sending" | "completing" | "done" | "stopped" | "refused" | "cancelled";

/** What an upload does, so that tests can do it otherwise. */
export interface Steps {
  check: (file: File) => Promise<void>;
  digest: (file: File) => Promise<string>;
  announce: (filename: string, sizeBytes: number) => Promise<AnnouncedDataset>;
  send: (
    target: NonNullable<AnnouncedDataset["upload"]>,
    file: File,
    onShare: (share: number) => void,
    signal: AbortSignal,
  ) => Promise<void>;
  complete: (id: string, sha256: string) => Promise<Dataset>;
  remove: (id: string) => Promise<void>;
}

const GOING = new Set<Phase>(["reading", "sending", "completing"]);
const OVER = new Set<Phase>(["done", "refused", "cancelled"]);
/** Storage has it already: the answer to an earlier attempt was lost. */
const EXISTS = 409;
/** An upload's address is good for two hours; these are the answers of one that is not. */
const ADDRESS_REFUSED = new Set([400, 401, 403, 404]);

export class Upload {
  phase = $state<Phase>("waiting");
  /** Of the bytes, that has gone. */
  share = $state(0);
  problem = $state.raw<Problem | null>(null);
  dataset = $state.raw<Dataset | null>(null);

  readonly #steps: Steps;
  #controller = new AbortController();
  #sha256: string | null = null;
  #announced: AnnouncedDataset | null = null;
  #isSent = false;

  constructor(
    readonly id: number,
    readonly file: File,
    /** Whose it is: what one person began is not shown to the next in this browser. */
    readonly owner: string,
    steps: Steps,
  ) {
    this.#steps = steps;
  }

  get isGoing(): boolean {
    return GOING.has(this.phase);
  }

  get isOver(): boolean {
    return OVER.has(this.phase);
  }

  get isCancelled(): boolean {
    return this.phase === "cancelled";
  }

  /** Begin, or go on after a stop. Never throws. */
  async start(): Promise<void> {
    if (this.isGoing || this.isOver) return;
    this.problem = null;
    this.#controller = new AbortController();
    try {
      await this.#prepare();
      await this.#bring();
      this.#advance("completing");
      const dataset = await this.#finish();
      this.#advance("done");
      this.dataset = dataset;
    } catch (error) {
      // What was announced while it was being cancelled is taken away as well.
      if (this.isCancelled) await this.#forget();
      else await this.#fail(Problem.from(error));
    }
  }

  /** Stop for good and take away what was begun. */
  async cancel(): Promise<void> {
    if (this.isOver) return;
    this.phase = "cancelled";
    this.#controller.abort();
    await this.#forget();
  }

  /** Go to the next phase, unless it has been cancelled meanwhile. */
  #advance(phase: Phase): void {
    if (this.isCancelled) throw new Problem("Stopped.", { status: 0, code: "stopped" });
    this.phase = phase;
  }

  async #prepare(): Promise<void> {
    if (this.#sha256) return;
    this.#advance("reading");
    await this.#steps.check(this.file);
    this.#sha256 = await this.#steps.digest(this.file);
  }

  async #bring(): Promise<void> {
    for (let isAfresh = this.#announced === null; !this.#isSent; isAfresh = true) {
      this.#advance("sending");
      this.share = 0;
      this.#announced ??= await this.#steps.announce(this.file.name, this.file.size);
      this.#advance("sending");
      try {
        await this.#send(this.#announced);
        this.#isSent = true;
      } catch (error) {
        const isAddressOld = error instanceof Problem && ADDRESS_REFUSED.has(error.status) && !isAfresh;
        if (!isAddressOld) throw error;
        await this.#forget();
      }
    }
  }

  async #send({ upload }: AnnouncedDataset): Promise<void> {
    if (!upload) throw new Problem("The server named no place for the file.", { status: 500, code: "no_place" });
    const onShare = (share: number) => {
      this.share = share;
    };
    try {
      await this.#steps.send(upload, this.file, onShare, this.#controller.signal);
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== EXISTS) throw error;
    }
    this.share = 1;
  }

  async #finish(): Promise<Dataset> {
    try {
      return await this.#steps.complete(this.#announced?.dataset.id ?? "", this.#sha256 ?? "");
    } catch (error) {
      // The bytes have not arrived after all: next time they are sent again.
      if (error instanceof Problem && error.status === EXISTS) {
        this.#isSent = false;
        throw new Problem("The file has not arrived whole.", { status: 0, code: "incomplete" });
      }
      throw error;
    }
  }

  async #fail(problem: Problem): Promise<void> {
    this.problem = problem;
    this.phase = isPassing(problem) ? "stopped" : "refused";
    if (this.phase === "refused") await this.#forget();
  }

  /** Take away what was announced; what cannot be now is forgotten by the server within a day. */
  async #forget(): Promise<void> {
    const announced = this.#announced;
    this.#announced = null;
    this.#isSent = false;
    if (announced) await this.#steps.remove(announced.dataset.id).catch(() => {});
  }
}

/** Whether trying again may help: no answer came, the session is over, the server is busy. */
export function isPassing({ status }: Problem): boolean {
  return status === 0 || status === 401 || status === 408 || status === 429 || status >= 500;
}
