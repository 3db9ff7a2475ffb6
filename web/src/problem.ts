/** The one shape of every failure that a page shows. */

import type { FieldNote } from "./types";

/** What could not be done: `status` 0 means that no answer came, `code` is the fixed name of the failure. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly errors: FieldNote[];
  readonly retryAfterSeconds: number | null;

  constructor(
    detail: string,
    facts: { status: number; code: string; errors?: FieldNote[]; retryAfterSeconds?: number | null },
  ) {
    super(detail);
    this.status = facts.status;
    this.code = facts.code;
    this.errors = facts.errors ?? [];
    this.retryAfterSeconds = facts.retryAfterSeconds ?? null;
  }

  /** Whether what was asked for is not there: its id names nothing, or nothing that can be seen. */
  get isGone(): boolean {
    return this.status === 404 || this.status === 422;
  }

  /** What happened, as a sentence to go on from: the server's end without a full stop. */
  get sentence(): string {
    return /[.!?…]$/.test(this.message) ? this.message : `${this.message}.`;
  }

  /** Whatever was thrown, as a problem. */
  static from(error: unknown): Problem {
    return error instanceof Problem ? error : new Problem(String(error), { status: 0, code: "site" });
  }
}
