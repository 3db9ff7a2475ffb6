/** A model that one has a part in: what may be changed about it, and with whom it is shared. */

import { client, read } from "../api";
import type { components } from "../api-types";
import type { Member, Model } from "../types";

export type ModelChanges = components["schemas"]["ModelChanges"];
export type MemberRole = components["schemas"]["MemberOrder"]["role"];

export async function updateModel(slug: string, changes: ModelChanges): Promise<Model> {
  return read(await client.PATCH("/api/models/{slug}", { params: { path: { slug } }, body: changes }));
}

export async function listMembers(slug: string, signal: AbortSignal): Promise<Member[]> {
  return read(await client.GET("/api/models/{slug}/members", { params: { path: { slug } }, signal })).members;
}

/** Share a model with somebody who has an account, or change what they may do. */
export async function setMember(slug: string, email: string, role: MemberRole): Promise<Member> {
  return read(await client.PUT("/api/models/{slug}/members", { params: { path: { slug } }, body: { email, role } }));
}

export async function removeMember(slug: string, userId: string): Promise<void> {
  const params = { path: { slug, user_id: userId } };
  read(await client.DELETE("/api/models/{slug}/members/{user_id}", { params }));
}
