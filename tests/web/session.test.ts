// @vitest-environment jsdom
import { beforeEach, expect, it, vi } from "vitest";

const renew = vi.fn<(refused: string | null) => Promise<string | null>>();

const KEY = "rowcast-session";
const ADA = { id: "1", email: "ada@example.com" };
const BOB = { id: "2", email: "bob@example.com" };

function keep(user: { id: string; email: string }, token: string, secondsLeft: number): void {
  const expiresAt = Math.floor(Date.now() / 1000) + secondsLeft;
  localStorage.setItem(KEY, JSON.stringify({ access_token: token, expires_at: expiresAt, user }));
}

/** What the browser does in this tab when another one writes. */
function hearOfOtherTab(): void {
  dispatchEvent(new StorageEvent("storage", { key: KEY }));
}

async function load() {
  vi.resetModules();
  const session = await import("../../web/src/account/session.svelte");
  session.renewBy(renew);
  return session;
}

beforeEach(() => {
  localStorage.clear();
  renew.mockReset();
});

it("is a visitor's without a kept session, and with one that cannot be read", async () => {
  for (const junk of [null, "{", "null", "[]", '{"access_token":"t"}']) {
    if (junk !== null) localStorage.setItem(KEY, junk);
    const { accessToken, session } = await load();
    expect(session.account).toBeNull();
    expect(await accessToken()).toBeNull();
  }
  expect(renew).not.toHaveBeenCalled();
});

it("gives a token that lasts as it lies, without loading the sign-in code", async () => {
  keep(ADA, "lasting", 3600);
  const { accessToken, session } = await load();

  expect(session.account).toEqual(ADA);
  expect(await accessToken()).toBe("lasting");
  expect(renew).not.toHaveBeenCalled();
});

it("renews a token that is about to end", async () => {
  keep(ADA, "old", 30);
  renew.mockResolvedValue("new");
  const { accessToken, lastingToken } = await load();

  expect(await accessToken()).toBe("new");
  expect(renew).toHaveBeenCalledExactlyOnceWith(null);
  expect(lastingToken(null)).toBe("old");
  expect(lastingToken("old")).toBeNull();
});

it("takes another tab's newer token before it asks for one itself", async () => {
  keep(ADA, "newer", 3600);
  const { tokenInstead } = await load();

  expect(await tokenInstead("refused")).toBe("newer");
  expect(renew).not.toHaveBeenCalled();

  renew.mockResolvedValue(null);
  expect(await tokenInstead("newer")).toBeNull();
  expect(renew).toHaveBeenCalledExactlyOnceWith("newer");
});

it("follows the other tabs: another person, and nobody", async () => {
  keep(ADA, "a", 3600);
  const { session } = await load();

  keep(BOB, "b", 3600);
  hearOfOtherTab();
  expect(session).toMatchObject({ account: BOB, hasEnded: false });

  localStorage.removeItem(KEY);
  hearOfOtherTab();
  expect(session).toMatchObject({ account: null, hasEnded: true });
});

it("tells an end that was wished from one that was not", async () => {
  keep(ADA, "a", 3600);
  const { follow, session } = await load();

  localStorage.removeItem(KEY);
  follow(false);

  expect(session).toMatchObject({ account: null, hasEnded: false });
});
