/**
 * The signed-in pages: each with its address below /workspace, who may open it, where the navigation shows it, and its
 * code, which comes when it is opened.
 */

import type { Component } from "svelte";
import type { Me } from "../types";
import type { IconName } from "../ui/Icon.svelte";

/** What every signed-in page is given. */
export interface PageProps extends Record<string, unknown> {
  /** The named parts of the address: `{ slug: "penguins" }` for `models/:slug/members`. */
  params: Record<string, string>;
  /** Who is signed in, with their role. */
  me: Me;
}

export type Role = Me["role"];

export interface WorkspacePage {
  /** Address below /workspace; a part that starts with a colon takes anything. */
  path: string;
  title: string;
  /** Roles that may open it; absent: everybody who is signed in. */
  roles?: readonly Role[];
  /** Its entry in the navigation; absent for pages that others lead to. */
  nav?: { group: Group; icon: IconName };
  /** A page that needs nothing of what it is given declares no props. */
  load: () => Promise<{ default: Component<PageProps> | Component<Record<string, never>> }>;
}

export type Group = "Work" | "You" | "Administration";
export const GROUPS: readonly Group[] = ["Work", "You", "Administration"];

export const ADMINS: readonly Role[] = ["admin"];
export const ANALYSTS: readonly Role[] = ["analyst", "admin"];

export const PAGES: readonly WorkspacePage[] = [
  {
    path: "models",
    title: "My models",
    nav: { group: "Work", icon: "box" },
    load: () => import("../mine/MyModels.svelte"),
  },
  {
    path: "models/:slug",
    title: "Model settings",
    load: () => import("../mine/ModelSettings.svelte"),
  },
  {
    path: "models/:slug/versions",
    title: "Versions",
    load: () => import("../versions/VersionsPage.svelte"),
  },
  {
    path: "models/:slug/versions/:number",
    title: "Version",
    load: () => import("../versions/VersionPage.svelte"),
  },
  {
    path: "datasets",
    title: "Data sets",
    roles: ANALYSTS,
    nav: { group: "Work", icon: "table" },
    load: () => import("../datasets/DatasetsPage.svelte"),
  },
  {
    path: "datasets/:id",
    title: "Data set",
    roles: ANALYSTS,
    load: () => import("../datasets/DatasetPage.svelte"),
  },
  {
    path: "runs",
    title: "Training runs",
    roles: ANALYSTS,
    nav: { group: "Work", icon: "pulse" },
    load: () => import("../runs/RunsPage.svelte"),
  },
  {
    path: "runs/new",
    title: "New run",
    roles: ANALYSTS,
    load: () => import("../runs/NewRunPage.svelte"),
  },
  {
    path: "runs/:id",
    title: "Training run",
    roles: ANALYSTS,
    load: () => import("../runs/RunPage.svelte"),
  },
  {
    path: "hooks",
    title: "Hooks",
    roles: ANALYSTS,
    nav: { group: "Work", icon: "link" },
    load: () => import("../hooks/HooksPage.svelte"),
  },
  {
    path: "hooks/:id",
    title: "Hook",
    roles: ANALYSTS,
    load: () => import("../hooks/HookPage.svelte"),
  },
  {
    path: "subscriptions",
    title: "Subscriptions",
    nav: { group: "Work", icon: "bell" },
    load: () => import("../subscriptions/SubscriptionsPage.svelte"),
  },
  {
    path: "subscriptions/:id",
    title: "Subscription",
    load: () => import("../subscriptions/SubscriptionPage.svelte"),
  },
  {
    path: "account",
    title: "Account",
    nav: { group: "You", icon: "person" },
    load: () => import("../account/AccountPage.svelte"),
  },
  {
    path: "keys",
    title: "API keys",
    nav: { group: "You", icon: "key" },
    load: () => import("../keys/KeysPage.svelte"),
  },
  {
    path: "people",
    title: "People",
    roles: ADMINS,
    nav: { group: "Administration", icon: "people" },
    load: () => import("../people/PeoplePage.svelte"),
  },
  {
    path: "audit",
    title: "Audit log",
    roles: ADMINS,
    nav: { group: "Administration", icon: "list" },
    load: () => import("../audit/AuditPage.svelte"),
  },
];

export interface Opened {
  page: WorkspacePage;
  params: Record<string, string>;
}

/** Find the page that lives at these parts of an address. */
export function pageFor(parts: readonly string[], pages: readonly WorkspacePage[] = PAGES): Opened | null {
  for (const page of pages) {
    const params = match(page.path.split("/"), parts);
    if (params) return { page, params };
  }
  return null;
}

export function mayOpen(page: WorkspacePage, role: Role): boolean {
  return !page.roles || page.roles.includes(role);
}

function match(pattern: readonly string[], parts: readonly string[]): Record<string, string> | null {
  if (pattern.length !== parts.length) return null;
  const params: Record<string, string> = {};
  for (const [index, name] of pattern.entries()) {
    const part = parts[index] ?? "";
    if (name.startsWith(":")) params[name.slice(1)] = part;
    else if (name !== part) return null;
  }
  return params;
}
