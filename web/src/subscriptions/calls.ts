/** Subscriptions and their deliveries: what the API offers about them. */

import { client, read } from "../api";
import type { components } from "../api-types";

export type Subscription = components["schemas"]["Subscription"];
export type NewSubscription = components["schemas"]["NewSubscription"];
export type SubscriptionOrder = components["schemas"]["SubscriptionOrder"];
export type SubscriptionChanges = components["schemas"]["SubscriptionChanges"];
export type SubscriptionSecret = components["schemas"]["SubscriptionSecret"];
export type EventType = Subscription["event_types"][number];
export type Delivery = components["schemas"]["Delivery"];
export type DeliveryDetail = components["schemas"]["DeliveryDetail"];
export type DeliveryAttempt = components["schemas"]["DeliveryAttempt"];
export type State = Delivery["state"];

export const PAGE = 25;

export async function listSubscriptions(signal: AbortSignal): Promise<Subscription[]> {
  return read(await client.GET("/api/subscriptions", { signal })).subscriptions;
}

export async function getSubscription(id: string, signal?: AbortSignal): Promise<Subscription> {
  return read(await client.GET("/api/subscriptions/{subscription_id}", at(id, signal)));
}

export async function createSubscription(order: SubscriptionOrder): Promise<NewSubscription> {
  return read(await client.POST("/api/subscriptions", { body: order }));
}

export async function changeSubscription(id: string, changes: SubscriptionChanges): Promise<Subscription> {
  return read(await client.PATCH("/api/subscriptions/{subscription_id}", { ...at(id), body: changes }));
}

export async function deleteSubscription(id: string): Promise<void> {
  read(await client.DELETE("/api/subscriptions/{subscription_id}", at(id)));
}

/** Another secret; for so many hours messages are signed with the old one as well. */
export async function rotateSecret(id: string, overlapHours: number): Promise<SubscriptionSecret> {
  const body = { overlap_hours: overlapHours };
  return read(await client.POST("/api/subscriptions/{subscription_id}/secret", { ...at(id), body }));
}

/** Send a test event now; the answer comes when the receiver has answered, or has not. */
export async function testSubscription(id: string): Promise<DeliveryDetail> {
  return read(await client.POST("/api/subscriptions/{subscription_id}/test", at(id)));
}

export async function listDeliveries(
  id: string,
  state: State | "",
  before: string | null,
  signal: AbortSignal,
): Promise<Delivery[]> {
  const query = { limit: PAGE, ...(state && { state }), ...(before && { before }) };
  const params = { path: { subscription_id: id }, query };
  return read(await client.GET("/api/subscriptions/{subscription_id}/deliveries", { params, signal })).deliveries;
}

export async function getDelivery(id: string, deliveryId: string, signal: AbortSignal): Promise<DeliveryDetail> {
  const params = { path: { subscription_id: id, delivery_id: deliveryId } };
  return read(await client.GET("/api/subscriptions/{subscription_id}/deliveries/{delivery_id}", { params, signal }));
}

/** Send some deliveries again, whatever became of them; returns how many. */
export async function replayDeliveries(id: string, deliveries: string[]): Promise<number> {
  return (await replay(id, { deliveries })).replayed;
}

/** Send all again that were given up since a time; returns how many. */
export async function replayDead(id: string, since: Date): Promise<number> {
  return (await replay(id, { dead_since: since.toISOString() })).replayed;
}

async function replay(id: string, body: { deliveries: string[] } | { dead_since: string }) {
  return read(await client.POST("/api/subscriptions/{subscription_id}/replay", { ...at(id), body }));
}

function at(id: string, signal?: AbortSignal) {
  return { params: { path: { subscription_id: id } }, ...(signal && { signal }) };
}
