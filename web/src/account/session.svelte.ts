/**
 * Who is signed in here, and the token to call the API with.
 *
 * Sign-in itself is supabase-js's work (`auth.ts`), whose code is loaded only when there is something to do: for a
 * visitor never, for somebody signed in when the token is about to expire. What it keeps is read here as it lies; what
 * renews it is handed in by `main.ts`, as it builds on this.
 * All tabs read the same place, so they change together.
 */

import { keeper, LEFT_KEY, SESSION_KEY } from "./keeper";

export interface Account {
  id: string;
  email: string;
}

interface Session {
  account: Account | null;
  /** Somebody was signed in, and it ended without a wish from this tab: it ran out, or was ended elsewhere. */
  hasEnded: boolean;
  /** Whose pages stay: who is signed in, or was until the session ended by itself. */
  owner: string | null;
}

/** The event for pages that could not go on while the session was over. */
export const SIGNED_IN_AGAIN = "rowcast-signed-in-again";

interface Kept {
  access_token: string;
  /** Seconds since 1970. */
  expires_at: number;
  user: { id: string; email?: string };
}

/** Gets another token instead of one that was refused (null: that is about to end); null when there is none to be had. */
type Renewal = (refused: string | null) => Promise<string | null>;
let renew: Renewal = () => Promise.resolve(null);

/** A token this close to its end is renewed before it is used. */
const MARGIN_MS = 60_000;

/** So long after somebody has signed out, the end of the session is taken for theirs. */
const LEAVING_MS = 30_000;

export const session = $state<Session>(sessionOf(accountOf(readKept())));

addEventListener("storage", (event) => {
  if (event.key === SESSION_KEY || event.key === null) follow(true);
});

/** Say what renews tokens. */
export function renewBy(renewal: Renewal): void {
  renew = renewal;
}

/** The access token of whoever is signed in, renewed if need be; null for a visitor. */
export async function accessToken(): Promise<string | null> {
  const kept = readKept();
  if (!kept || lastsFor(kept) > MARGIN_MS) return kept?.access_token ?? null;
  return renew(null);
}

/** Another token, after the API has refused this one; null when there is none to be had. */
export async function tokenInstead(refused: string): Promise<string | null> {
  const kept = readKept();
  if (!kept) return null;
  if (kept.access_token !== refused) return kept.access_token;
  return renew(refused);
}

/** The token that is kept while it lasts, unless it is the one that was refused. */
export function lastingToken(refused: string | null): string | null {
  const kept = readKept();
  return kept && lastsFor(kept) > 0 && kept.access_token !== refused ? kept.access_token : null;
}

/** Take over what is kept now; `isUnasked`: should the session be gone, nobody here has wished it. */
export function follow(isUnasked: boolean): void {
  const account = accountOf(readKept());
  if (account?.id === session.account?.id && account?.email === session.account?.email) return;
  if (account?.id !== session.account?.id) void forgetMine();
  const wasOver = session.hasEnded;
  session.hasEnded = account === null && isUnasked;
  // Who signed out, in whatever tab, leaves nothing behind on the others' screens.
  session.owner = session.hasEnded && !hasLeft() ? session.owner : (account?.id ?? null);
  session.account = account;
  if (wasOver && account) dispatchEvent(new Event(SIGNED_IN_AGAIN));
}

function hasLeft(): boolean {
  return Date.now() - Number(keeper.getItem(LEFT_KEY) ?? 0) < LEAVING_MS;
}

/** Take away what `device/kept.ts` kept for whoever was signed in. */
async function forgetMine(): Promise<void> {
  await globalThis.caches?.delete("rowcast-kept-mine").catch(() => false);
}

function sessionOf(account: Account | null): Session {
  return { account, hasEnded: false, owner: account?.id ?? null };
}

function lastsFor(kept: Kept): number {
  return kept.expires_at * 1000 - Date.now();
}

function accountOf(kept: Kept | null): Account | null {
  return kept && { id: kept.user.id, email: kept.user.email ?? "" };
}

function readKept(): Kept | null {
  const text = keeper.getItem(SESSION_KEY);
  if (!text) return null;
  try {
    const kept = JSON.parse(text) as Partial<Kept> | null;
    return kept?.access_token && kept.expires_at && kept.user?.id ? (kept as Kept) : null;
  } catch {
    return null;
  }
}
