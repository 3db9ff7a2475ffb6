/** What earlier pages of this visit learnt, so that going back and forth shows everything at once. */

import { session } from "../account/session.svelte";
import { getCard, type ModelRef } from "../api";
import type { Card, Model } from "../types";

interface Memory {
  /** Whose eyes saw this. Somebody else starts anew. */
  account: string | null;
  models: Model[] | null;
  champions: Map<string, Card>;
}

let memory: Memory = { account: null, models: null, champions: new Map() };

export const remembered = {
  get models(): Model[] | null {
    return ours().models;
  },
  set models(models: Model[] | null) {
    ours().models = models;
  },
};

/** Find a card: at once if it is the champion's and the newest list still says so. */
export async function findCard(ref: ModelRef, signal: AbortSignal): Promise<Card> {
  if (ref.version !== null) return getCard(ref, signal);
  const known = ours().champions.get(ref.slug);
  const listed = remembered.models?.find((model) => model.slug === ref.slug)?.champion?.digest;
  if (known && known.digest === listed) return known;
  const card = await getCard(ref, signal);
  ours().champions.set(ref.slug, card);
  return card;
}

function ours(): Memory {
  const account = session.account?.id ?? null;
  if (memory.account !== account) memory = { account, models: null, champions: new Map() };
  return memory;
}
