/** Real addresses without reloads: which page is shown, and moving between pages. */

import { tick } from "svelte";
import type { ModelRef } from "./api";

export type SignInStep = "password" | "new" | "mail" | "reset" | "link" | "done";

export type Page =
  | { name: "home" }
  | { name: "model"; ref: ModelRef }
  | { name: "sign-in"; step: SignInStep }
  | { name: "workspace"; parts: string[] }
  | { name: "docs"; slug: string }
  | { name: "missing" };

const SIGN_IN: Record<string, SignInStep> = {
  "sign-in": "password",
  "sign-in/new": "new",
  "sign-in/mail": "mail",
  "sign-in/reset": "reset",
  "sign-in/link": "link",
  "sign-in/done": "done",
  // Where the embedded stack's mails point at.
  "auth/v1/verify": "link",
};

interface Place {
  path: string;
  page: Page;
  /** Changes with every move, so that the same page opened anew starts afresh. */
  visit: number;
}

export const place = $state<Place>({ path: location.pathname, page: pageAt(location.pathname), visit: 0 });

/** Name the page that lives at `path`. */
export function pageAt(path: string): Page {
  const parts = path.split("/").filter((part) => part !== "");
  if (parts.length === 0 || (parts.length === 1 && (parts[0] === "models" || parts[0] === "index.html"))) {
    return { name: "home" };
  }
  const step = SIGN_IN[parts.join("/")];
  if (step) return { name: "sign-in", step };
  const [folder, name] = parts;
  if (folder === "workspace") {
    const decoded = parts.slice(1).map(decode);
    return decoded.includes(null) ? { name: "missing" } : { name: "workspace", parts: decoded as string[] };
  }
  if (folder === "docs" && parts.length <= 2) return { name: "docs", slug: name ?? "index" };
  if (parts.length === 2 && folder === "models" && name) {
    const ref = refFrom(name);
    if (ref) return { name: "model", ref };
  }
  return { name: "missing" };
}

export function modelPath(ref: ModelRef): string {
  return `/models/${encodeURIComponent(ref.slug)}${ref.version ? `@${encodeURIComponent(ref.version)}` : ""}`;
}

/** Go to an address of this site, as a link would. */
export async function go(to: URL | string): Promise<void> {
  const url = new URL(to, location.href);
  history.replaceState({ ...history.state, scroll: scrollY }, "");
  history.pushState({}, "", url);
  await show(url, 0);
}

/** Go on to an address of this site; the back button passes over where this was called. */
export async function goInstead(to: string): Promise<void> {
  const url = new URL(to, location.href);
  history.replaceState({}, "", url);
  await show(url, 0);
}

/** The way to sign in and come back: to `path`, or to where the visitor is. */
export function signInPath(path = location.pathname + location.search + location.hash): string {
  return `/sign-in?next=${encodeURIComponent(path)}`;
}

/** Where to go after signing in, as the address says; only to a page of this site. */
export function nextPath(query: string, otherwise = "/workspace"): string {
  const next = new URLSearchParams(query).get("next");
  if (!next?.startsWith("/")) return otherwise;
  const url = new URL(next, location.origin);
  const isHere = url.origin === location.origin && pageAt(url.pathname).name !== "sign-in";
  return isHere ? url.pathname + url.search + url.hash : otherwise;
}

/** Follow links and the back button. Returns a function that stops doing so. */
export function startRouter(): () => void {
  history.scrollRestoration = "manual";
  const onClick = (event: MouseEvent) => {
    const url = ownLink(event);
    if (!url) return;
    event.preventDefault();
    void go(url);
  };
  const onPopState = (event: PopStateEvent) => {
    const url = new URL(location.href);
    if (url.pathname === place.path) return;
    void show(url, (event.state as { scroll?: number } | null)?.scroll ?? 0);
  };
  document.addEventListener("click", onClick);
  addEventListener("popstate", onPopState);
  return () => {
    document.removeEventListener("click", onClick);
    removeEventListener("popstate", onPopState);
  };
}

async function show(url: URL, scroll: number): Promise<void> {
  place.path = url.pathname;
  place.page = pageAt(url.pathname);
  place.visit += 1;
  await tick();
  const anchor = url.hash ? document.getElementById(decodeURIComponent(url.hash.slice(1))) : null;
  if (anchor) anchor.scrollIntoView();
  else scrollTo(0, scroll);
  document.querySelector<HTMLElement>("main")?.focus({ preventScroll: true });
}

/** The link that a plain click would follow within this site, if it is one of ours to open. */
function ownLink(event: MouseEvent): URL | null {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  ) {
    return null;
  }
  const anchor = (event.target as Element | null)?.closest?.("a");
  if (!anchor || anchor.target || anchor.hasAttribute("download")) return null;
  const url = new URL(anchor.href, location.href);
  if (url.origin !== location.origin || url.pathname.startsWith("/api/")) return null;
  const sameDocument = url.pathname === location.pathname && url.search === location.search;
  return sameDocument && url.hash ? null : url;
}

function decode(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

function refFrom(name: string): ModelRef | null {
  const decoded = decode(name);
  if (decoded === null) return null;
  const [slug, version, ...rest] = decoded.split("@");
  if (!slug || rest.length > 0 || version === "") return null;
  return { slug, version: version ?? null };
}
