import { resolve } from "node:path";
import { defineConfig, mergeConfig } from "vitest/config";
import site from "./vite.config";

export default mergeConfig(
  site,
  defineConfig({
    // Component tests need Svelte's browser build, which Node would not choose by itself.
    resolve: { conditions: ["browser"] },
    test: { dir: resolve(import.meta.dirname, "../tests/web"), environment: "jsdom", restoreMocks: true },
  }),
);
