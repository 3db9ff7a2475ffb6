/** What the home page already knows, so that coming back to it shows everything at once while it asks anew. */

import type { Card, Model } from "../types";

export const remembered: { models: Model[] | null; cards: Map<string, Card> } = { models: null, cards: new Map() };
