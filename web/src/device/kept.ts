/**
 * Models that were opened on this device stay on it, so that they go on without a network: card, file and engine are put
 * where the service worker (`web/offline/worker.js`) finds them. What somebody signed in may see is kept by itself and goes
 * with the session.
 */

import { session } from "../account/session.svelte";
import { artifactPath, type ModelRef } from "../api";
import type { Card } from "../types";

const FOR_ANYBODY = "rowcast-kept";
const FOR_MINE = "rowcast-kept-mine";
const DIGEST = "x-rowcast-digest";

type Bytes = Uint8Array<ArrayBuffer>;

const cardPath = (ref: ModelRef) => artifactPath(ref).replace("/artifact", "/card");

/** Keep an opened model. Storage that is full or blocked is no failure: the model then needs the network next time. */
export async function keepModel(ref: ModelRef, card: Card, file: Bytes): Promise<void> {
  try {
    const kept = await caches.open(session.account ? FOR_MINE : FOR_ANYBODY);
    await kept.put(cardPath(ref), Response.json(card));
    await kept.put(artifactPath(ref), new Response(file, { headers: { [DIGEST]: card.digest } }));
  } catch {
    // Said above.
  }
}

/** Keep the engine that runs models; it is the same for everybody. */
export async function keepEngine(path: string, engine: Bytes): Promise<void> {
  try {
    const kept = await caches.open(FOR_ANYBODY);
    if (!(await kept.match(path))) {
      await kept.put(path, new Response(engine, { headers: { "content-type": "application/wasm" } }));
    }
  } catch {
    // As above.
  }
}

/** Tell whether the file that a card describes is on this device. */
export async function isKept(ref: ModelRef, card: Card): Promise<boolean> {
  try {
    for (const cacheName of [FOR_MINE, FOR_ANYBODY]) {
      const file = await caches.match(artifactPath(ref), { cacheName });
      if (file?.headers.get(DIGEST) === card.digest) return true;
    }
  } catch {
    // No storage, nothing kept.
  }
  return false;
}
