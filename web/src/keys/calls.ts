/** API keys: what the API offers about them. */

import { client, read } from "../api";
import type { components } from "../api-types";

export type Key = components["schemas"]["Key"];
export type NewKey = components["schemas"]["NewKey"];
export type KeyOrder = components["schemas"]["KeyOrder"];
export type Scope = Key["scopes"][number];

export async function listKeys(signal: AbortSignal): Promise<Key[]> {
  return read(await client.GET("/api/keys", { signal })).keys;
}

export async function createKey(order: KeyOrder): Promise<NewKey> {
  return read(await client.POST("/api/keys", { body: order }));
}

/** Replace a key by another one; both work for so many hours. */
export async function rotateKey(id: string, overlapHours: number): Promise<NewKey> {
  const params = { path: { key_id: id } };
  return read(await client.POST("/api/keys/{key_id}/rotate", { params, body: { overlap_hours: overlapHours } }));
}

export async function revokeKey(id: string): Promise<void> {
  read(await client.DELETE("/api/keys/{key_id}", { params: { path: { key_id: id } } }));
}
