// @vitest-environment jsdom
import { expect, it } from "vitest";
import { actionInWords, factsOf } from "../../web/src/audit/words";
import type { Key } from "../../web/src/keys/calls";
import { endOf, isOver, stateOf } from "../../web/src/keys/life";
import { nextPath, pageAt } from "../../web/src/router.svelte";
import { curl } from "../../web/src/snippets";
import { mayOpen, PAGES, pageFor } from "../../web/src/workspace/pages";

const NOW = Date.parse("2026-11-23T10:00:00Z");

it.each([
  ["/sign-in", { name: "sign-in", step: "password" }],
  ["/sign-in/new", { name: "sign-in", step: "new" }],
  ["/auth/v1/verify", { name: "sign-in", step: "link" }],
  ["/sign-in/nope", { name: "missing" }],
  ["/workspace", { name: "workspace", parts: [] }],
  ["/workspace/models/a%2Fb", { name: "workspace", parts: ["models", "a/b"] }],
  ["/workspace/%E0%A4%A", { name: "missing" }],
])("%s is its own page", (path, page) => {
  expect(pageAt(path)).toEqual(page);
});

it.each([
  ["?next=/workspace/keys%3Fa%3D1%23b", "/workspace/keys?a=1#b"],
  ["?next=/models/penguins", "/models/penguins"],
  ["", "/workspace"],
  ["?next=https://evil.example/", "/workspace"],
  ["?next=//evil.example/", "/workspace"],
  ["?next=/%5Cevil.example", "/workspace"],
  ["?next=/%09/evil.example", "/workspace"],
  ["?next=javascript:alert(1)", "/workspace"],
  ["?next=/sign-in?next=/sign-in", "/workspace"],
])("after signing in with %s the way leads to %s", (query, path) => {
  expect(nextPath(query)).toBe(path);
});

it("finds a signed-in page by the parts of its address, with its names", () => {
  expect(pageFor(["models"])?.page.title).toBe("My models");
  expect(pageFor(["models", "penguins"])?.params).toEqual({ slug: "penguins" });
  expect(pageFor(["models", "penguins", "more"])).toBeNull();
  expect(pageFor([])).toBeNull();
});

it("opens pages to their roles only", () => {
  const people = PAGES.find((page) => page.path === "people");
  const account = PAGES.find((page) => page.path === "account");
  if (!people || !account) throw new Error("a page is gone");

  expect(["viewer", "analyst", "admin"].filter((role) => mayOpen(people, role as "viewer"))).toEqual(["admin"]);
  expect(mayOpen(account, "viewer")).toBe(true);
});

it("tells the state of a key by its times", () => {
  const key = (times: Partial<Key>) => ({ expires_at: null, revoked_at: null, ...times }) as Key;

  expect(stateOf(key({}), NOW)).toBe("working");
  expect(stateOf(key({ expires_at: "2027-11-23T10:00:00Z" }), NOW)).toBe("working");
  expect(stateOf(key({ expires_at: "2026-11-24T10:00:00Z" }), NOW)).toBe("ending");
  expect(stateOf(key({ expires_at: "2026-11-23T10:00:00Z" }), NOW)).toBe("expired");
  expect(stateOf(key({ revoked_at: "2026-11-23T09:00:00Z", expires_at: "2027-11-23T10:00:00Z" }), NOW)).toBe("revoked");
  expect(isOver(key({ expires_at: "2026-11-24T10:00:00Z" }), NOW)).toBe(false);
  expect(endOf("7", NOW)).toBe("2026-11-30T10:00:00.000Z");
  expect(endOf("", NOW)).toBeNull();
});

it("writes a curl line that a shell reads as it was meant, whatever the values are", () => {
  const line = curl("https://x.example", { slug: "penguins", version: null }, { island: "Adam's" }, "rc_a_b");

  expect(line).toContain("-H 'authorization: Bearer rc_a_b'");
  expect(line).toContain(`"island": "Adam'\\''s"`);
  expect(curl("https://x.example", { slug: "penguins", version: null }, {})).not.toContain("authorization");
});

it("says an entry of the audit log in words, without ids that name nothing to a reader", () => {
  const entry = {
    id: "1",
    at: "2026-11-23T10:00:00Z",
    actor: null,
    action: "role.changed",
    subject: { type: "user", id: "2" },
    data: { from: "viewer", to: "admin", user_id: "2", note: null, scopes: ["predict", "train"] },
  };

  expect(actionInWords("promotion.rolled_back")).toBe("promotion rolled back");
  expect(factsOf(entry)).toEqual([
    { name: "from", value: "viewer to admin" },
    { name: "scopes", value: "predict, train" },
  ]);
});
