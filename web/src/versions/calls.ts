/** The moves of a model's versions: what is live, what was, what would change, and who decided it. */

import { client, read } from "../api";
import type { components } from "../api-types";
import type { Version } from "../types";

export type Comparison = components["schemas"]["Comparison"];
export type ComparedMetric = components["schemas"]["ComparedMetric"];
export type Promotion = components["schemas"]["Promotion"];
export type LiveAlias = components["schemas"]["LiveAlias"];
export type Replay = components["schemas"]["Replay"];
export type ReplayResult = components["schemas"]["ReplayResult"];

export const CHAMPION = "champion";

const of = (slug: string) => ({ params: { path: { slug } } });

export async function compareVersions(slug: string, a: number, b: number, signal: AbortSignal): Promise<Comparison> {
  const params = { path: { slug }, query: { a: String(a), b: String(b) } };
  return read(await client.GET("/api/models/{slug}/compare", { params, signal }));
}

export async function listPromotions(slug: string, before: string | null, signal: AbortSignal): Promise<Promotion[]> {
  const params = { path: { slug }, query: { limit: 20, ...(before && { before }) } };
  return read(await client.GET("/api/models/{slug}/promotions", { params, signal })).promotions;
}

/** What each alias pointed at, at a moment. */
export async function readHistory(slug: string, at: Date): Promise<LiveAlias[]> {
  const params = { path: { slug }, query: { at: at.toISOString() } };
  return read(await client.GET("/api/models/{slug}/history", { params })).aliases;
}

/** Let an alias point at a version; refused (409) if it no longer points at what the person was `shown`. */
export async function promote(
  slug: string,
  alias: string,
  version: number,
  reason: string,
  shown: number | null,
): Promise<Promotion> {
  const params = { path: { slug, name: alias } };
  const body = { version, reason, from_version: shown ?? 0 };
  return read(await client.PUT("/api/models/{slug}/aliases/{name}", { params, body }));
}

export async function removeAlias(slug: string, alias: string, reason: string): Promise<void> {
  const params = { path: { slug, name: alias }, query: { reason } };
  read(await client.DELETE("/api/models/{slug}/aliases/{name}", { params }));
}

export async function rollBack(slug: string, alias: string, reason: string): Promise<Promotion> {
  return read(await client.POST("/api/models/{slug}/rollback", { ...of(slug), body: { alias, reason } }));
}

export async function createReplay(slug: string, version: number, against: number, rows: number): Promise<Replay> {
  const body = { version, against: String(against), rows };
  return read(await client.POST("/api/models/{slug}/replays", { ...of(slug), body }));
}

/** The newest replay of one version against another, if there was any. */
export async function findReplay(
  slug: string,
  version: number,
  against: number,
  signal: AbortSignal,
): Promise<Replay | null> {
  const { replays } = read(await client.GET("/api/models/{slug}/replays", { ...of(slug), signal }));
  return replays.find((each) => each.version === version && each.against === against) ?? null;
}

export async function getReplay(slug: string, id: string, signal: AbortSignal): Promise<Replay> {
  const params = { path: { slug, replay_id: id } };
  return read(await client.GET("/api/models/{slug}/replays/{replay_id}", { params, signal }));
}

export async function noteVersion(slug: string, number: number, note: string): Promise<Version> {
  const params = { path: { slug, number } };
  return read(await client.PATCH("/api/models/{slug}/versions/{number}", { params, body: { note } }));
}

export async function deleteVersion(slug: string, number: number): Promise<void> {
  read(await client.DELETE("/api/models/{slug}/versions/{number}", { params: { path: { slug, number } } }));
}
