/** One page of the documentation: Markdown with a head of `name: value` lines, made into HTML while the site is built. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import http from "highlight.js/lib/languages/http";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import sql from "highlight.js/lib/languages/sql";
import yaml from "highlight.js/lib/languages/yaml";
import { Marked, type Tokens } from "marked";

const LANGUAGES = { sh: bash, http, javascript, json, python, sql, yaml };
const NAMES: Record<string, string> = {
  sh: "Shell",
  http: "HTTP",
  javascript: "JavaScript",
  json: "JSON",
  python: "Python",
  sql: "SQL",
  yaml: "YAML",
};
for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);

export interface Heading {
  id: string;
  text: string;
  /** 2 for a section, 3 for a part of one. */
  level: number;
}

export interface DocsPage {
  slug: string;
  title: string;
  description: string;
  /** The part of the list that the page stands in, and its place there. */
  group: string;
  order: number;
  markdown: string;
  html: string;
  headings: Heading[];
}

/**
 * Read one page.
 *
 * @param folder Where pictures are looked up: `/docs/…` in a page is a file of the site's public folder.
 * @throws Error naming the page, when its head lacks a line or a block of code has no language.
 */
export function readPage(slug: string, source: string, folder: string): DocsPage {
  const [, head, markdown] = /^---\n(.*?)\n---\n(.*)$/s.exec(source) ?? [];
  if (head === undefined || markdown === undefined) throw new Error(`${slug}.md: no head between two lines of ---`);
  const facts = new Map(head.split("\n").map((line) => [before(line, ":"), line.slice(line.indexOf(":") + 1).trim()]));
  const fact = (name: string): string => {
    const value = facts.get(name);
    if (!value) throw new Error(`${slug}.md: its head has no line "${name}: …"`);
    return value;
  };
  const headings: Heading[] = [];
  const html = renderer(slug, folder, headings).parse(markdown, { async: false });
  const order = Number(fact("order"));
  return {
    slug,
    title: fact("title"),
    description: fact("description"),
    group: fact("group"),
    order,
    markdown,
    html,
    headings,
  };
}

function renderer(slug: string, folder: string, headings: Heading[]): Marked {
  return new Marked({
    gfm: true,
    renderer: {
      heading(token: Tokens.Heading) {
        const text = token.text.replaceAll("`", "");
        const id = anchor(text, headings);
        if (token.depth > 1 && token.depth < 4) headings.push({ id, text, level: token.depth });
        const inner = this.parser.parseInline(token.tokens);
        return `<h${token.depth} id="${id}"><a href="#${id}">${inner}</a></h${token.depth}>\n`;
      },
      code({ text, lang }: Tokens.Code) {
        const language = before(lang ?? "", " ");
        if (!NAMES[language]) throw new Error(`${slug}.md: a block of code in "${language}", which is none of ours`);
        const code = hljs.highlight(text, { language }).value;
        return `<figure class="code"><figcaption><span>${NAMES[language]}</span><button type="button" data-copy>Copy</button></figcaption><pre tabindex="0" role="group" aria-label="${NAMES[language]}"><code>${code}</code></pre></figure>\n`;
      },
      codespan: ({ text }: Tokens.Codespan) => `<code class="word">${escapeHtml(text)}</code>`,
      // A table of many columns scrolls by itself, also by keyboard, instead of widening the page.
      table(token: Tokens.Table) {
        const row = (cells: Tokens.TableCell[], tag: "th" | "td") =>
          cells.map(
            (cell) => `<${tag}${tag === "th" ? ' scope="col"' : ""}>${this.parser.parseInline(cell.tokens)}</${tag}>`,
          );
        const rows = token.rows.map((cells) => `<tr>${row(cells, "td").join("")}</tr>`).join("\n");
        return `<div class="table" tabindex="0" role="group" aria-label="Table"><table><thead><tr>${row(token.header, "th").join("")}</tr></thead><tbody>\n${rows}</tbody></table></div>\n`;
      },
      image({ href, text }: Tokens.Image) {
        return picture(slug, join(folder, href), href, text);
      },
    },
  });
}

/** A drawing stands in the page itself, so that it takes the page's colours; a photograph is told its size beforehand. */
function picture(slug: string, file: string, href: string, text: string): string {
  if (!existsSync(file)) throw new Error(`${slug}.md: there is no picture ${href}`);
  if (href.endsWith(".svg")) {
    const drawing = readFileSync(file, "utf8").replace("<svg ", `<svg role="img" aria-label="${escapeHtml(text)}" `);
    return `<div class="drawing" tabindex="0" role="group" aria-label="${escapeHtml(text)}">${drawing}</div>`;
  }
  const bytes = readFileSync(file);
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  return `<img src="${href}" alt="${escapeHtml(text)}" width="${width}" height="${height}" loading="lazy" decoding="async">`;
}

function anchor(text: string, taken: Heading[]): string {
  const plain = text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-|-$/g, "");
  const isTaken = (id: string) => taken.some((heading) => heading.id === id);
  let number = 2;
  while (isTaken(`${plain}-${number}`)) number += 1;
  return isTaken(plain) ? `${plain}-${number}` : plain;
}

export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

function before(text: string, mark: string): string {
  return text.split(mark, 1)[0] ?? "";
}
