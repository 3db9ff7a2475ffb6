/** Training runs: what the API offers about them. */

import { client, openStream, read } from "../api";
import type { components } from "../api-types";

type Schemas = components["schemas"];
export type Run = Schemas["Run"];
export type RunStatus = Run["status"];
export type RunEvent = Schemas["RunEvent"];
export type RunEvents = Schemas["RunEvents"];
export type RunOrder = Schemas["RunOrder"];
export type RunOptions = Schemas["RunOptions"];

export const PAGE = 20;

export interface RunFilter {
  model?: string;
  status?: RunStatus;
  dataset_id?: string;
}

export async function listRuns(filter: RunFilter, before: string | null, signal: AbortSignal): Promise<Run[]> {
  const query = { limit: PAGE + 1, ...filter, ...(before && { before }) };
  return read(await client.GET("/api/runs", { params: { query }, signal })).runs;
}

export async function getRun(id: string, signal: AbortSignal): Promise<Run> {
  return read(await client.GET("/api/runs/{run_id}", { params: { path: { run_id: id } }, signal }));
}

export async function createRun(order: RunOrder): Promise<Run> {
  return read(await client.POST("/api/runs", { body: order }));
}

export async function cancelRun(id: string): Promise<Run> {
  return read(await client.POST("/api/runs/{run_id}/cancel", { params: { path: { run_id: id } } }));
}

/** Ask what happened since event number `after`, and where the run stands. */
export async function listEvents(id: string, after: number, signal: AbortSignal): Promise<RunEvents> {
  const params = { path: { run_id: id }, query: { after } };
  return read(await client.GET("/api/runs/{run_id}/events", { params, signal })) as RunEvents;
}

/** Stay connected to the events since number `after`, as server-sent events. */
export async function streamEvents(
  id: string,
  after: number,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  const params = { path: { run_id: id }, query: { after } };
  const headers = { accept: "text/event-stream" };
  const answer = await client.GET("/api/runs/{run_id}/events", {
    params,
    headers,
    signal,
    parseAs: "stream",
    fetch: openStream,
  });
  return read(answer) as unknown as ReadableStream<Uint8Array>;
}

/** Where a WebSocket hears of a run's events. */
export function eventsAddress(id: string): string {
  return `${location.origin.replace(/^http/, "ws")}/api/runs/${encodeURIComponent(id)}/events`;
}
