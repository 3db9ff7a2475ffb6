import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { beforeAll, expect, it, vi } from "vitest";

const SCRIPT_BUDGET_BYTES = 60 * 1024;
type Files = (Rolldown.OutputChunk | Rolldown.OutputAsset)[];
let files: Files;

async function buildSite(): Promise<Files> {
  // What the tests' own environment would build carries Svelte's warnings for developers.
  vi.stubEnv("NODE_ENV", "production");
  const web = resolve(import.meta.dirname, "../../web");
  const result = (await build({ root: web, logLevel: "silent", build: { write: false } })) as Rolldown.RolldownOutput;
  return result.output;
}

beforeAll(async () => {
  files = await buildSite();
}, 60_000);

function pageText(): string {
  const page = files.find((file) => file.fileName === "index.html");
  return page?.type === "asset" ? String(page.source) : "";
}

it("needs at most 60 kB of compressed script before a page works", () => {
  const chunks = new Map(files.filter((file) => file.type === "chunk").map((chunk) => [chunk.fileName, chunk]));
  const needed = new Set<string>();
  const follow = (name: string) => {
    if (needed.has(name)) return;
    needed.add(name);
    chunks.get(name)?.imports.forEach(follow);
  };
  for (const chunk of chunks.values()) if (chunk.isEntry) follow(chunk.fileName);

  const bytes = [...needed].reduce((sum, name) => sum + gzipSync(chunks.get(name)?.code ?? "").length, 0);

  expect(needed.size).toBeGreaterThan(0);
  expect(bytes).toBeLessThanOrEqual(SCRIPT_BUDGET_BYTES);
});

it("holds no inline script and no inline style, so that a strict content policy can forbid them", () => {
  expect(pageText()).toContain("<script");
  expect(pageText()).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>/);
  expect(pageText()).not.toMatch(/<style|\sstyle=|\son\w+=/);
});

it("asks no other host for anything", () => {
  const styles = files.filter((file) => file.fileName.endsWith(".css") && file.type === "asset");
  const text = pageText() + styles.map((file) => (file.type === "asset" ? String(file.source) : "")).join("");
  expect(text.match(/(?:src|href)="https?:[^"]*"|url\(["']?https?:[^)]*\)/g)).toBeNull();
});

it("keeps a model's page for when there is no network: what exists, and neither the engine nor the pages behind sign-in", () => {
  const worker = files.find((file) => file.fileName === "sw.js");
  const code = worker?.type === "asset" ? String(worker.source) : "";
  const shell = JSON.parse(code.match(/^const SHELL = (.*);$/m)?.[1] ?? "[]") as string[];
  const names = new Set(files.map((file) => `/${file.fileName}`));

  expect(shell.filter((path) => path.startsWith("/assets/") && !names.has(path))).toEqual([]);
  for (const part of ["index", "Insight", "Details", "SearchField", "engine"]) {
    expect(shell.some((path) => path.startsWith(`/assets/${part}-`))).toBe(true);
  }
  expect(shell.filter((path) => /\.wasm$|Workspace|SignIn|auth/.test(path))).toEqual([]);
  expect(names.has(code.match(/^const ENGINE = "(.*)";$/m)?.[1] ?? "")).toBe(true);
});

it("counts visits on the hosting platform in production, and nowhere else", async () => {
  const counts = (built: Files) => built.some((file) => file.type === "chunk" && file.code.includes("/_vercel/"));
  vi.stubEnv("VERCEL_ENV", "production");

  expect(counts(files)).toBe(false);
  expect(counts(await buildSite())).toBe(true);
}, 60_000);
