/** The only file that fetches. Every failure leaves it as one `Problem`, whatever went wrong on the way. */

import createClient from "openapi-fetch";
import { accessToken, tokenInstead } from "./account/session.svelte";
import type { paths } from "./api-types";
import { Problem } from "./problem";
import type { Answer, Card, Config, Explanation, Me, Model, ProblemBody, Row, Version, WhatIf } from "./types";

const TIMEOUT_MS = 20_000;
const DOWNLOAD_TIMEOUT_MS = 120_000;

declare global {
  interface Window {
    rowcastAsked?: Map<string, Promise<Response | null>>;
  }
}

type Bytes = Uint8Array<ArrayBuffer>;
type Progress = (share: number) => void;

/** A model's name with the version to ask: `penguins`, `penguins@challenger`, `penguins@3`. */
export interface ModelRef {
  slug: string;
  version: string | null;
}

/** The API by its own description. Calls of one part of the site live beside that part; all go through here. */
export const client = createClient<paths, "application/json">({
  baseUrl: location.origin,
  fetch: (request) => fetchAsCaller(request),
});

export async function listModels(signal: AbortSignal): Promise<Model[]> {
  return read(await client.GET("/api/models", { signal })).models;
}

export async function getModel(slug: string, signal: AbortSignal): Promise<Model> {
  return read(await client.GET("/api/models/{slug}", { params: { path: { slug } }, signal }));
}

export async function getCard({ slug, version }: ModelRef, signal: AbortSignal): Promise<Card> {
  const params = { path: { slug }, query: version ? { version } : {} };
  return read(await client.GET("/api/models/{slug}/card", { params, signal }));
}

export async function listVersions(slug: string, signal: AbortSignal): Promise<Version[]> {
  return read(await client.GET("/api/models/{slug}/versions", { params: { path: { slug } }, signal })).versions;
}

/** Ask where people sign in. In nobody's name: whoever renews a token asks this first. */
export async function getConfig(): Promise<Config> {
  return read(await client.GET("/api/config", { fetch: (request) => sendInTime(request) }));
}

/** Ask who the API takes the caller for. */
export async function getMe(signal: AbortSignal): Promise<Me> {
  return read(await client.GET("/api/me", { signal }));
}

export async function predict(ref: ModelRef, rows: Row[], signal: AbortSignal): Promise<Answer> {
  const params = { path: { model: reference(ref) } };
  return read(await client.POST("/api/predict/{model}", { params, body: { rows }, signal })) as Answer;
}

/** Ask how far each column moved the answer to a row. */
export async function explain(ref: ModelRef, row: Row, signal: AbortSignal): Promise<Explanation | null> {
  const params = { path: { model: reference(ref) }, query: { explain: "1" as const } };
  const answer = read(await client.POST("/api/predict/{model}", { params, body: { rows: [row] }, signal }));
  return answer.explanations?.[0] ?? null;
}

/** Ask for the answers to a row while one of its columns moves. */
export async function sweep(ref: ModelRef, row: Row, feature: string, signal: AbortSignal): Promise<WhatIf> {
  const params = { path: { model: reference(ref) } };
  return read(await client.POST("/api/predict/{model}/what-if", { params, body: { row, feature }, signal })) as WhatIf;
}

/** In whose name a call is tried: of who is signed in, of an API key, of nobody. */
export type Credential = "session" | { key: string } | null;

/** An answer as it came, whatever its status. */
export interface Said {
  status: number;
  type: string;
  /** Indented where it is JSON. */
  text: string;
  ms: number;
}

/** The API's own description (OpenAPI). */
export async function getDescription(): Promise<unknown> {
  return JSON.parse((await askAs(null, "GET", { path: "/api/openapi.json", headers: {}, body: null })).text);
}

/** Make a call that somebody composed, and tell what came back. */
export async function askAs(
  credential: Credential,
  method: string,
  asked: { path: string; headers: Record<string, string>; body: string | null },
): Promise<Said> {
  const { path, headers, body } = asked;
  const request = new Request(new URL(path, location.origin), { method, headers, body });
  const started = performance.now();
  const response = await (credential === "session"
    ? fetchAsCaller(request)
    : sendInTime(credential ? carrying(request, credential.key) : request));
  const type = response.headers.get("content-type") ?? "";
  const came = await response.text();
  const ms = Math.round(performance.now() - started);
  return { status: response.status, type, text: type.includes("json") ? indented(came) : came, ms };
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export function predictPath(ref: ModelRef): string {
  return `/api/predict/${encodeURIComponent(ref.slug)}${ref.version ? `@${encodeURIComponent(ref.version)}` : ""}`;
}

export function artifactPath({ slug, version }: ModelRef): string {
  const query = version ? `?version=${encodeURIComponent(version)}` : "";
  return `/api/models/${encodeURIComponent(slug)}/artifact${query}`;
}

/** Fetch a version's ONNX file, telling the share that has come. */
export function fetchArtifact(ref: ModelRef, onProgress: Progress, signal: AbortSignal): Promise<Bytes> {
  return fetchBytes(artifactPath(ref), onProgress, signal);
}

/** Fetch a file of this site, telling the share that has come. */
export async function fetchBytes(path: string, onProgress: Progress, signal: AbortSignal): Promise<Bytes> {
  const request = new Request(new URL(path, location.origin), { signal });
  const response = await fetchAsCaller(request, DOWNLOAD_TIMEOUT_MS);
  if (!response.ok || !response.body) {
    throw new Problem(`A file could not be fetched: status ${response.status}.`, {
      status: response.status,
      code: `http_${response.status}`,
    });
  }
  const size = Number(response.headers.get("content-length")) || null;
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    length += value.length;
    // A compressed answer tells its compressed size: then what has come may be more than the whole.
    if (size) onProgress(Math.min(1, length / size));
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function reference({ slug, version }: ModelRef): string {
  return version ? `${slug}@${version}` : slug;
}

/** Fetch in the name of whoever is signed in. A token that the API refuses is renewed once. */
async function fetchAsCaller(request: Request, timeoutMs = TIMEOUT_MS): Promise<Response> {
  const token = await accessToken();
  if (!token) return (await takeAsked(request)) ?? sendInTime(request, timeoutMs);
  const again = request.clone();
  const response = await sendInTime(carrying(request, token), timeoutMs);
  if (response.status !== 401) return response;
  const other = await tokenInstead(token);
  return other && other !== token ? sendInTime(carrying(again, other), timeoutMs) : response;
}

/** Send a request whose answer goes on for a while, such as a stream of events; the deadline is its end. */
export function openStream(request: Request): Promise<Response> {
  return fetchAsCaller(request, DOWNLOAD_TIMEOUT_MS);
}

/** The answer to what `public/first.js` asked before this code was here; each is taken once. */
async function takeAsked(request: Request): Promise<Response | null> {
  const { pathname, search } = new URL(request.url);
  const answer = request.method === "GET" ? window.rowcastAsked?.get(pathname + search) : undefined;
  if (answer) window.rowcastAsked?.delete(pathname + search);
  return (await answer) ?? null;
}

function carrying(request: Request, token: string): Request {
  request.headers.set("authorization", `Bearer ${token}`);
  return request;
}

/** Fetch with a deadline; a call that its own caller gave up ends as that, every other silence as a problem. */
export async function sendInTime(request: Request, timeoutMs = TIMEOUT_MS): Promise<Response> {
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    return await fetch(request, { signal: AbortSignal.any([request.signal, deadline]) });
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw silence(deadline.aborted);
  }
}

/** Why no answer came. */
export function silence(timedOut: boolean): Problem {
  if (!navigator.onLine) return new Problem("You are offline.", { status: 0, code: "offline" });
  if (timedOut) return new Problem("The server took too long to answer.", { status: 0, code: "timeout" });
  return new Problem("The server cannot be reached.", { status: 0, code: "unreachable" });
}

/** The body of a good answer; a `Problem` is thrown for any other. */
export function read<T>({ data, error, response }: { data?: T; error?: unknown; response: Response }): T {
  if (response.ok && (data !== undefined || response.status === 204)) return data as T;
  const body = (typeof error === "object" && error !== null ? error : {}) as Partial<ProblemBody>;
  const retryAfter = Number(response.headers.get("retry-after"));
  throw new Problem(body.detail || body.title || `The server answered with status ${response.status}.`, {
    status: response.status,
    code: body.code ?? `http_${response.status}`,
    errors: body.errors ?? [],
    retryAfterSeconds: retryAfter > 0 ? retryAfter : null,
  });
}
