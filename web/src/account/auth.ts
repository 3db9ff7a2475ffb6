/**
 * Sign-in by Supabase Auth. Loaded on demand: import it with `import()` from anything that a visitor's page needs.
 *
 * Links in mails and the way back from GitHub or Google carry a one-time code that only the browser which asked can
 * redeem (PKCE). Every failure leaves here as a `Problem`, with a pointer to the field it is about.
 */

import { AuthClient, type AuthError, type EmailOtpType, isAuthRetryableFetchError } from "@supabase/supabase-js";
import { getConfig, sendInTime } from "../api";
import { Problem } from "../problem";
import { keeper, LEFT_KEY, SESSION_KEY } from "./keeper";
import { toProblem } from "./problems";
import { follow, lastingToken } from "./session.svelte";

export type Provider = "github" | "google";

/** What the project lets people do. */
export interface Doors {
  providers: Provider[];
  signUp: boolean;
}

const PROVIDERS: Provider[] = ["github", "google"];
const RENEWAL = "rowcast-renewal";
const ASKED_KEY = "rowcast-asked-for-mail";

let opening: Promise<Opened> | null = null;
/** Whether the session is being ended on purpose, from here. */
let isLeaving = false;

interface Opened {
  client: InstanceType<typeof AuthClient>;
  settings: string;
  headers: Record<string, string>;
}

function open(): Promise<Opened> {
  opening ??= create().catch((error: unknown) => {
    opening = null;
    throw error;
  });
  return opening;
}

async function create(): Promise<Opened> {
  const { supabase_url: address, supabase_publishable_key: key } = await getConfig();
  if (!address || !key) {
    throw new Problem("Nobody can sign in here: this Rowcast knows no Supabase project.", {
      status: 503,
      code: "sign_in_unavailable",
    });
  }
  const headers = { apikey: key };
  const client = new AuthClient({
    url: `${address}/auth/v1`,
    headers,
    storageKey: SESSION_KEY,
    storage: keeper,
    flowType: "pkce",
    // Tokens are renewed when they are needed, one tab at a time (see `renew`); a timer in each tab would not take turns.
    autoRefreshToken: false,
    detectSessionInUrl: false,
    fetch: (input, init) => sendInTime(new Request(input, init)),
  });
  client.onAuthStateChange(() => follow(!isLeaving));
  return { client, settings: `${address}/auth/v1/settings`, headers };
}

/** Ask which ways in there are. */
export async function findDoors(signal: AbortSignal): Promise<Doors> {
  const { settings, headers } = await open();
  const answer = await sendInTime(new Request(settings, { headers, signal }));
  const told = answer.ok
    ? ((await answer.json()) as { external?: Record<string, boolean>; disable_signup?: boolean })
    : {};
  return { providers: PROVIDERS.filter((each) => told.external?.[each]), signUp: !told.disable_signup };
}

export async function signIn(email: string, password: string): Promise<void> {
  const { client } = await open();
  settle(await client.signInWithPassword({ email, password }));
}

/** Make an account. "confirm": a mail was sent, and its link opens the account. */
export async function signUp(email: string, password: string, next: string): Promise<"in" | "confirm"> {
  const { client } = await open();
  const { data, error } = await client.signUp({ email, password, options: { emailRedirectTo: wayBack(next) } });
  settle({ error });
  if (data.session) return "in";
  noteAsked(next);
  return "confirm";
}

/** Send a mail with a link that signs in. An address without an account gets one, where sign-up is open. */
export async function sendLink(email: string, next: string): Promise<void> {
  const { client } = await open();
  settle(await client.signInWithOtp({ email, options: { emailRedirectTo: wayBack(next) } }));
  noteAsked(next);
}

/** Send a mail with a link to a new password. Says nothing about whether there is such an account. */
export async function sendReset(email: string): Promise<void> {
  const { client } = await open();
  settle(await client.resetPasswordForEmail(email, { redirectTo: wayBack(NEW_PASSWORD) }));
  noteAsked(NEW_PASSWORD);
}

/** Where a link in a reset mail ends. */
export const NEW_PASSWORD = "/workspace/account#password";

/** Leave for a provider's page; it sends people back to `wayBack`. */
export async function signInWith(provider: Provider, next: string): Promise<void> {
  const { client } = await open();
  settle(await client.signInWithOAuth({ provider, options: { redirectTo: wayBack(next) } }));
}

/** Redeem the code that a mail's link or a provider sent this browser back with. */
export async function redeemCode(code: string): Promise<void> {
  const { client } = await open();
  settle(await client.exchangeCodeForSession(code));
}

/** Redeem the token of a mail's link that came straight to this site. */
export async function redeemToken(token: string, type: string): Promise<void> {
  const { client } = await open();
  settle(await client.verifyOtp({ token_hash: token, type: type as EmailOtpType }));
  keeper.removeItem(ASKED_KEY);
}

/** Where whoever asked here for a mail wanted to go; null: nobody did, and its link is opened by hand only. */
export function wished(): string | null {
  return keeper.getItem(ASKED_KEY);
}

export async function setPassword(password: string): Promise<void> {
  const { client } = await open();
  settle(await client.updateUser({ password }));
}

/**
 * End this session, all of them, or all others. This one alone ends here in any case, told to the service or not; all of
 * them only when the service has agreed, for nobody should go away believing it.
 */
export async function signOut(scope: "local" | "global" | "others"): Promise<void> {
  isLeaving = scope !== "others";
  if (isLeaving) keeper.setItem(LEFT_KEY, String(Date.now()));
  try {
    const { client } = await open();
    settle(await client.signOut({ scope }));
  } finally {
    if (scope === "local") keeper.removeItem(SESSION_KEY);
    follow(!isLeaving);
    isLeaving = false;
  }
}

/**
 * Get a token that will do for a while: of a session about to end, or instead of one that was refused. Null: the session
 * is over. While nobody can be asked, a token that still lasts is given.
 *
 * A refresh token works once, and two tabs that use the same one end the session: they take turns, and the second finds
 * what the first has got.
 */
export function renew(refused: string | null): Promise<string | null> {
  return navigator.locks ? navigator.locks.request(RENEWAL, () => renewAlone(refused)) : renewAlone(refused);
}

async function renewAlone(refused: string | null): Promise<string | null> {
  const found = refused === null ? null : lastingToken(refused);
  if (found) return found;
  const { client } = await open();
  const { data, error } = await (refused === null ? client.getSession() : client.refreshSession());
  if (data.session) return data.session.access_token;
  const lasting = lastingToken(refused);
  if (lasting) return lasting;
  if (error && isAuthRetryableFetchError(error)) throw toProblem(error);
  keeper.removeItem(SESSION_KEY);
  follow(true);
  return null;
}

function settle({ error }: { error: AuthError | null }): void {
  if (error) throw toProblem(error);
}

function noteAsked(next: string): void {
  keeper.setItem(ASKED_KEY, next);
}

function wayBack(next: string): string {
  return `${location.origin}/sign-in/done?next=${encodeURIComponent(next)}`;
}
