/**
 * The documentation as part of the site: each Markdown file of `web/docs` becomes a page that the site shows, a file of
 * finished HTML for readers without JavaScript (search engines among them), and its plain text beside it; `llms.txt` lists
 * them all for programs that read.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Plugin, ResolvedConfig } from "vite";
import { type DocsPage, escapeHtml, readPage } from "./markdown.ts";

const LIST = "virtual:docs";
const GROUPS = ["Start", "Use", "Run", "Background"];
const PROMISE = "Row in, prediction out: tables become live, explained, certified prediction endpoints.";

export function docs(): Plugin {
  let config: ResolvedConfig;
  let styles: string[] = [];
  const folder = () => resolve(config.root, "docs");
  return {
    name: "rowcast-docs",
    configResolved(resolved) {
      config = resolved;
    },
    resolveId(id) {
      return id === LIST || id.startsWith(`${LIST}/`) ? `\0${id}` : null;
    },
    load(id) {
      if (!id.startsWith(`\0${LIST}`)) return null;
      const pages = readPages(folder(), config.publicDir);
      for (const page of pages) this.addWatchFile(join(folder(), `${page.slug}.md`));
      if (id === `\0${LIST}`) return listModule(pages);
      const page = pages.find((each) => id === `\0${LIST}/${each.slug}`);
      return page ? `export default ${JSON.stringify({ html: page.html, headings: page.headings })}` : null;
    },
    generateBundle(_options, bundle) {
      styles = Object.keys(bundle).filter((name) => /DocsPage-[^/]*\.css$/.test(name));
    },
    writeBundle() {
      const out = resolve(config.root, config.build.outDir);
      const shell = readFileSync(join(out, "index.html"), "utf8");
      const pages = readPages(folder(), config.publicDir);
      for (const page of pages) {
        write(join(out, pathOf(page), "index.html"), finished(shell, page, styles));
        write(join(out, "docs", `${page.slug}.md`), `# ${page.title}\n\n${page.markdown.trimStart()}`);
      }
      write(join(out, "llms.txt"), llms(pages));
      write(join(out, "llms-full.txt"), pages.map((page) => `# ${page.title}\n\n${page.markdown.trim()}\n`).join("\n"));
    },
  };
}

function readPages(folder: string, publicDir: string): DocsPage[] {
  const slugs = readdirSync(folder)
    .filter((name) => name.endsWith(".md"))
    .map((name) => name.slice(0, -3));
  const pages = slugs.map((slug) => readPage(slug, readFileSync(join(folder, `${slug}.md`), "utf8"), publicDir));
  const place = (page: DocsPage) => GROUPS.indexOf(page.group) * 1000 + page.order;
  for (const page of pages) {
    if (!GROUPS.includes(page.group)) throw new Error(`${page.slug}.md: its group is none of ${GROUPS.join(", ")}`);
  }
  return pages.sort((one, other) => place(one) - place(other));
}

function listModule(pages: DocsPage[]): string {
  const list = pages.map(({ slug, title, description, group, headings }) => ({
    slug,
    title,
    description,
    group,
    topics: headings.map((heading) => heading.text),
  }));
  const loaders = pages.map(({ slug }) => `${JSON.stringify(slug)}: () => import("${LIST}/${slug}")`);
  return `export const pages = ${JSON.stringify(list)};\nexport const loaders = {${loaders.join(", ")}};`;
}

/** The first page of the documentation lives at its root. */
export function pathOf(page: { slug: string }): string {
  return page.slug === "index" ? "docs" : `docs/${page.slug}`;
}

/** Put a page's text into the site's own HTML; its code takes over from there. */
function finished(shell: string, page: DocsPage, styles: string[]): string {
  const title = `${page.title} · Rowcast`;
  const meta = (html: string, key: string, content: string) =>
    html.replace(
      new RegExp(`(<meta\\s+(?:name|property)="${key}"\\s+content=")[^"]*`),
      (_, start) => start + escapeHtml(content),
    );
  const links = styles.map((name) => `<link rel="stylesheet" href="/${name}">`).join("");
  const head = meta(
    meta(meta(shell, "description", page.description), "og:title", title),
    "og:description",
    page.description,
  )
    .replace(/<title>[^<]*/, () => `<title>${escapeHtml(title)}`)
    .replace(
      "</head>",
      () => `${links}<link rel="alternate" type="text/markdown" href="/docs/${page.slug}.md"></head>`,
    );
  const article = `<article class="prose"><h1>${escapeHtml(page.title)}</h1>${page.html}</article>`;
  return head
    .replace('<div id="app"></div>', () => `<div id="app"><div class="docs-shell">${article}</div></div>`)
    .replace(/<noscript>.*?<\/noscript>/s, "");
}

function llms(pages: DocsPage[]): string {
  const groups = GROUPS.map((group) => {
    const lines = pages
      .filter((page) => page.group === group)
      .map((page) => `- [${page.title}](/docs/${page.slug}.md): ${page.description}`);
    return `## ${group}\n\n${lines.join("\n")}\n`;
  });
  const api =
    "## API\n\n- [OpenAPI](/api/openapi.json): every call with its schema\n- [Models](/api/models): every published model\n";
  return `# Rowcast\n\n> ${PROMISE}\n\n${groups.join("\n")}\n${api}\n## Optional\n\n- [All of it in one file](/llms-full.txt)\n`;
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
