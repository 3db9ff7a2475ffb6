import { resolve } from "node:path";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig, mergeConfig } from "vitest/config";
import site from "./vite.config.ts";

export default mergeConfig(
  site,
  defineConfig({
    plugins: [svelteTesting()],
    test: { dir: resolve(import.meta.dirname, "../tests/web"), restoreMocks: true },
  }),
);
