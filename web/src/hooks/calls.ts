/** Hooks, what a payload would become, and what came in: what the API offers about them. */

import { client, read } from "../api";
import type { components } from "../api-types";

export type Hook = components["schemas"]["Hook"];
export type OneHook = components["schemas"]["OneHook"];
export type NewHook = components["schemas"]["NewHook"];
export type HookOrder = components["schemas"]["HookOrder"];
export type Tried = components["schemas"]["Tried"];
export type HookDelivery = components["schemas"]["HookDelivery"];
export type Migration = components["schemas"]["Migration"];

export const PAGE = 25;

export async function listHooks(signal: AbortSignal): Promise<Hook[]> {
  return read(await client.GET("/api/hooks", { signal })).hooks;
}

export async function getHook(id: string, signal: AbortSignal): Promise<OneHook> {
  return read(await client.GET("/api/hooks/{hook_id}", { ...at(id), signal }));
}

export async function createHook(order: HookOrder): Promise<NewHook> {
  return read(await client.POST("/api/hooks", { body: order }));
}

export async function enableHook(id: string, enabled: boolean): Promise<OneHook> {
  return read(await client.PATCH("/api/hooks/{hook_id}", { ...at(id), body: { enabled } }));
}

export async function deleteHook(id: string): Promise<void> {
  read(await client.DELETE("/api/hooks/{hook_id}", at(id)));
}

/** What a payload would become; nothing is recorded, written or sent. */
export async function tryPayload(id: string, payload: unknown): Promise<Tried> {
  return read(await client.POST("/api/hooks/{hook_id}/test", { ...at(id), body: { payload } }));
}

/** The same for a hook that is not there yet. */
export async function tryDraft(order: HookOrder, payload: unknown): Promise<Tried> {
  const { name: _, ...draft } = order;
  return read(await client.POST("/api/hooks/draft/test", { body: { ...draft, payload } }));
}

export async function listDeliveries(id: string, before: string | null, signal: AbortSignal): Promise<HookDelivery[]> {
  const params = { path: { hook_id: id }, query: { limit: PAGE, ...(before && { before }) } };
  return read(await client.GET("/api/hooks/{hook_id}/deliveries", { params, signal })).deliveries;
}

/** The one SQL file that sends a table's rows to a hook. */
export async function writeMigration(id: string, table: string, key: string, onUpdate: boolean): Promise<Migration> {
  const body = { table, key: key.split(",").map((each) => each.trim()), on_update: onUpdate };
  return read(await client.POST("/api/hooks/{hook_id}/migration", { ...at(id), body }));
}

function at(id: string) {
  return { params: { path: { hook_id: id } } };
}
