import { copyFileSync } from "node:fs";
import { resolve } from "node:path";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig, type Plugin } from "vite";
import { FIRST_LOAD } from "./plugins/chunks.ts";
import { docs } from "./plugins/docs.ts";
import { offline } from "./plugins/offline.ts";

const API_ORIGIN = process.env.ROWCAST_API_ORIGIN ?? "http://127.0.0.1:3000";

/** Fetch the fonts together with the style sheet: found any later, they would not be used on a first visit. */
function preloadFonts(): Plugin {
  return {
    name: "rowcast-preload-fonts",
    transformIndexHtml: {
      order: "post",
      handler(_html, { bundle }) {
        const fonts = Object.keys(bundle ?? {}).filter((name) => name.endsWith(".woff2"));
        return fonts.map((name) => ({
          tag: "link",
          attrs: { rel: "preload", as: "font", type: "font/woff2", href: `/${name}`, crossorigin: "" },
          injectTo: "head",
        }));
      },
    },
  };
}

/** Link previews take absolute addresses only; the hosting platform tells its own while it builds. */
function absoluteImage(): Plugin {
  const host = process.env.VERCEL_PROJECT_PRODUCTION_URL;
  return {
    name: "rowcast-absolute-image",
    transformIndexHtml: (html) => (host ? html.replace('content="/og.png"', `content="https://${host}/og.png"`) : html),
  };
}

/** Static hosts answer an unknown path with 404.html: the same page, which then says so. */
function notFoundPage(): Plugin {
  let outDir = "";
  return {
    name: "rowcast-not-found-page",
    apply: "build",
    configResolved(config) {
      outDir = resolve(config.root, config.build.outDir);
    },
    writeBundle() {
      copyFileSync(resolve(outDir, "index.html"), resolve(outDir, "404.html"));
    },
  };
}

export default defineConfig({
  // Decided while building: elsewhere the code for it is not even there.
  define: { "import.meta.env.ROWCAST_IS_MEASURED": JSON.stringify(process.env.VERCEL_ENV === "production") },
  plugins: [
    tailwindcss(),
    svelte({ configFile: resolve(import.meta.dirname, "svelte.config.js") }),
    preloadFonts(),
    absoluteImage(),
    notFoundPage(),
    docs(),
    offline(),
  ],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    rolldownOptions: { output: { codeSplitting: { groups: FIRST_LOAD } } },
  },
  server: { port: 5173, strictPort: true, proxy: { "/api": API_ORIGIN } },
});
