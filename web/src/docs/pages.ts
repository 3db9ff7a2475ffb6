/** The pages of the documentation: their list comes with the code, the text of each when it is opened. */

import { loaders, pages } from "virtual:docs";

export interface DocsText {
  html: string;
  headings: { id: string; text: string; level: number }[];
}

export interface DocsEntry {
  slug: string;
  title: string;
  description: string;
  group: string;
  topics: string[];
}

const texts = new Map<string, DocsText>();

export const entries: DocsEntry[] = pages;

export const groups: { name: string; entries: DocsEntry[] }[] = [...new Set(pages.map((page) => page.group))].map(
  (name) => ({ name, entries: pages.filter((page) => page.group === name) }),
);

export function docsPath(slug: string): string {
  return slug === "index" ? "/docs" : `/docs/${slug}`;
}

/** The text of a page that was loaded before. */
export function loaded(slug: string): DocsText | null {
  return texts.get(slug) ?? null;
}

export async function load(slug: string): Promise<DocsText | null> {
  const known = texts.get(slug);
  if (known) return known;
  const text = await loaders[slug]?.();
  if (text) texts.set(slug, text.default);
  return text?.default ?? null;
}

/** The pages with every word of `wanted` in their title, description or topics; those that name it in the title first. */
export function search(wanted: string, among: DocsEntry[] = entries): DocsEntry[] {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const holds = (text: string) => words.every((word) => text.toLowerCase().includes(word));
  const found = among.filter((entry) => holds([entry.title, entry.description, ...entry.topics].join(" ")));
  return found.sort((one, other) => Number(holds(other.title)) - Number(holds(one.title)));
}
