/** The only file that fetches. Every failure leaves it as one `Problem`, whatever went wrong on the way. */

import type { Card, FieldNote, Model, PredictAnswer, Row, Version } from "./types";

const TIMEOUT_MS = 20_000;

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

  /** True when asking again later may work without changing anything. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export interface Timed<T> {
  body: T;
  /** From sending to the last byte, as the visitor felt it. */
  elapsedMs: number;
}

/** A model's name with the version to ask: `penguins`, `penguins@challenger`, `penguins@3`. */
export interface ModelRef {
  slug: string;
  version: string | null;
}

export async function listModels(signal?: AbortSignal): Promise<Model[]> {
  const { body } = await request<{ models: Model[] }>("/api/models", { signal });
  return body.models;
}

export async function getModel(slug: string, signal?: AbortSignal): Promise<Model> {
  const { body } = await request<Model | { model: Model }>(`/api/models/${encodeURIComponent(slug)}`, { signal });
  return "model" in body ? body.model : body;
}

export async function getCard(ref: ModelRef, signal?: AbortSignal): Promise<Card> {
  const query = ref.version ? `?version=${encodeURIComponent(ref.version)}` : "";
  const { body } = await request<Card>(`/api/models/${encodeURIComponent(ref.slug)}/card${query}`, { signal });
  return body;
}

export async function listVersions(slug: string, signal?: AbortSignal): Promise<Version[]> {
  const { body } = await request<{ versions: Version[] }>(`/api/models/${encodeURIComponent(slug)}/versions`, {
    signal,
  });
  return body.versions;
}

export async function predictRow(ref: ModelRef, row: Row, signal?: AbortSignal): Promise<Timed<PredictAnswer>> {
  return request<PredictAnswer>(predictPath(ref), { signal, json: { rows: [row] } });
}

export async function predictRows(ref: ModelRef, rows: Row[], signal?: AbortSignal): Promise<PredictAnswer> {
  const { body } = await request<PredictAnswer>(predictPath(ref), { signal, json: { rows } });
  return body;
}

export function predictPath(ref: ModelRef): string {
  const version = ref.version ? `@${encodeURIComponent(ref.version)}` : "";
  return `/api/predict/${encodeURIComponent(ref.slug)}${version}`;
}

export function artifactPath(ref: ModelRef): string {
  const query = ref.version ? `?version=${encodeURIComponent(ref.version)}` : "";
  return `/api/models/${encodeURIComponent(ref.slug)}/artifact${query}`;
}

interface Options {
  signal?: AbortSignal | undefined;
  json?: unknown;
}

async function request<T>(path: string, { signal, json }: Options): Promise<Timed<T>> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const started = performance.now();
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method: json === undefined ? "GET" : "POST",
      headers: json === undefined ? { accept: "application/json" } : { "content-type": "application/json" },
      body: json === undefined ? null : JSON.stringify(json),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw unreachable(timeout.aborted);
  }
  const body = parse(text);
  if (!response.ok) throw problemFrom(response, body);
  if (body === undefined) throw new Problem("The answer was not JSON.", { status: 502, code: "bad_answer" });
  return { body: body as T, elapsedMs: performance.now() - started };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreachable(timedOut: boolean): Problem {
  if (!navigator.onLine) return new Problem("You are offline.", { status: 0, code: "offline" });
  if (timedOut) return new Problem("The server took too long to answer.", { status: 0, code: "timeout" });
  return new Problem("The server cannot be reached.", { status: 0, code: "unreachable" });
}

function problemFrom(response: Response, body: unknown): Problem {
  const facts = (typeof body === "object" && body !== null ? body : {}) as {
    detail?: unknown;
    title?: unknown;
    code?: unknown;
    errors?: FieldNote[];
  };
  const retryAfter = Number(response.headers.get("retry-after"));
  return new Problem(text(facts.detail) ?? text(facts.title) ?? `The server answered ${response.status}.`, {
    status: response.status,
    code: text(facts.code) ?? `http_${response.status}`,
    errors: Array.isArray(facts.errors) ? facts.errors : [],
    retryAfterSeconds: retryAfter > 0 ? retryAfter : null,
  });
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
