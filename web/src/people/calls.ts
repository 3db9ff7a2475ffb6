/** People and their roles: what the API offers admins. */

import { client, read } from "../api";
import type { components } from "../api-types";

export type PersonSeen = components["schemas"]["PersonSeen"];
export type PersonRole = PersonSeen["role"];

export async function listPeople(signal: AbortSignal): Promise<PersonSeen[]> {
  return read(await client.GET("/api/people", { signal })).people;
}

export async function setRole(id: string, role: PersonRole): Promise<PersonSeen> {
  return read(await client.PUT("/api/people/{user_id}/role", { params: { path: { user_id: id } }, body: { role } }));
}
