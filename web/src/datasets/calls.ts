/** Data sets: what the API offers about them. */

import { client, read } from "../api";
import type { components } from "../api-types";
import type { Profile } from "./profile";

type Schemas = components["schemas"];
export type Dataset = Schemas["Dataset"];
export type DatasetChanges = Omit<Partial<Schemas["DatasetChanges"]>, "types"> & { types?: Record<string, string> };
export type DatasetOrder = Omit<Schemas["DatasetOrder"], "kind" | "rows"> & { rows?: number };
export type AnnouncedDataset = Schemas["AnnouncedDataset"];
export type ColumnType = NonNullable<Schemas["RunOptions"]["types"]>[string];
export type Profiled = Omit<Schemas["DatasetProfile"], "profile"> & { profile: Profile | null };

export const PAGE = 20;
/** The most that `listReady` offers to choose from. */
const CHOICES = 100;

export async function listDatasets(search: string, before: string | null, signal: AbortSignal): Promise<Dataset[]> {
  const query = { limit: PAGE + 1, ...(search && { search }), ...(before && { before }) };
  return read(await client.GET("/api/datasets", { params: { query }, signal })).datasets;
}

/** List the newest data sets that a run can start from. */
export async function listReady(signal: AbortSignal): Promise<Dataset[]> {
  const { datasets } = read(await client.GET("/api/datasets", { params: { query: { limit: CHOICES } }, signal }));
  return datasets.filter((each) => each.status === "ready");
}

export async function getDataset(id: string, signal: AbortSignal): Promise<Dataset> {
  return read(await client.GET("/api/datasets/{dataset_id}", { ...at(id), signal }));
}

export async function getProfile(id: string, signal: AbortSignal): Promise<Profiled> {
  return read(await client.GET("/api/datasets/{dataset_id}/profile", { ...at(id), signal })) as unknown as Profiled;
}

/** Say that a file is coming, and learn where to send it. */
export async function announce(filename: string, sizeBytes: number): Promise<AnnouncedDataset> {
  const body = { filename, size_bytes: sizeBytes } as Schemas["DatasetOrder"];
  return read(await client.POST("/api/datasets", { body }));
}

/** Take rows of a table or view of the database, read with one's own rights. */
export async function takeTable(order: DatasetOrder): Promise<Dataset> {
  return read(await client.POST("/api/datasets", { body: order as Schemas["DatasetOrder"] })).dataset;
}

export async function complete(id: string, sha256: string): Promise<Dataset> {
  return read(await client.POST("/api/datasets/{dataset_id}/complete", { ...at(id), body: { sha256 } }));
}

export async function updateDataset(id: string, changes: DatasetChanges): Promise<Dataset> {
  return read(
    await client.PATCH("/api/datasets/{dataset_id}", { ...at(id), body: changes as Schemas["DatasetChanges"] }),
  );
}

export async function deleteDataset(id: string): Promise<void> {
  read(await client.DELETE("/api/datasets/{dataset_id}", at(id)));
}

function at(id: string) {
  return { params: { path: { dataset_id: id } } };
}
