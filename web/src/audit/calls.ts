/** The audit log, a page at a time. */

import { client, read } from "../api";
import type { components } from "../api-types";

export type Entry = components["schemas"]["Entry"];
export type EntryList = components["schemas"]["EntryList"];

export interface Filter {
  /** An action or how it begins; empty: all. */
  action: string;
  /** `model:penguins`; empty: all. */
  subject: string;
}

export async function listEntries(filter: Filter, before: string | null, signal: AbortSignal): Promise<EntryList> {
  const query = {
    ...(filter.action && { action: filter.action }),
    ...(filter.subject && { subject: filter.subject }),
    ...(before && { before }),
  };
  return read(await client.GET("/api/audit", { params: { query }, signal }));
}
