/** Writes `sw.js`: the code of `offline/worker.js` with the names of the files that show a page of this build. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Plugin, Rolldown } from "vite";

/** Parts that come later but belong to a model's page. */
const LATER = /\/src\/(model|insight|details|device)\/[^/]+$/;
const ALWAYS = ["/favicon.svg", "/first.js", "/site.webmanifest"];

type Bundle = Record<string, Rolldown.OutputChunk | Rolldown.OutputAsset>;

export function offline(): Plugin {
  let root = "";
  return {
    name: "rowcast-offline",
    apply: "build",
    configResolved(config) {
      root = config.root;
    },
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const code = readFileSync(resolve(root, "offline/worker.js"), "utf8");
        const shell = shellOf(bundle as Bundle);
        const engine = Object.keys(bundle).find((name) => name.endsWith(".wasm"));
        const entry = Object.values(bundle).find((file) => file.type === "chunk" && file.isEntry)?.fileName;
        const page = bundle["index.html"];
        const html = page?.type === "asset" ? String(page.source) : "";
        const build = createHash("sha256")
          .update([code, html, ...shell].join("\n"))
          .digest("hex")
          .slice(0, 12);
        const head = Object.entries({ BUILD: build, ENTRY: `/${entry}`, SHELL: shell, ENGINE: `/${engine}` }).map(
          ([name, value]) => `const ${name} = ${JSON.stringify(value)};\n`,
        );
        this.emitFile({ type: "asset", fileName: "sw.js", source: head.join("") + code });
      },
    },
  };
}

/** The files without which a model's page cannot be shown. */
function shellOf(bundle: Bundle): string[] {
  const needed = new Set<string>();
  const follow = (name: string) => {
    const chunk = bundle[name];
    if (needed.has(name) || chunk?.type !== "chunk") return;
    needed.add(name);
    chunk.imports.forEach(follow);
    for (const style of chunk.viteMetadata?.importedCss ?? []) needed.add(style);
  };
  for (const chunk of Object.values(bundle)) {
    if (chunk.type === "chunk" && (chunk.isEntry || LATER.test(chunk.facadeModuleId ?? ""))) follow(chunk.fileName);
  }
  const fonts = Object.keys(bundle).filter((name) => name.endsWith(".woff2"));
  return [...ALWAYS, ...[...needed, ...fonts].sort().map((name) => `/${name}`)];
}
