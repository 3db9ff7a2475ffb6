// @vitest-environment jsdom
import { beforeEach, expect, it, vi } from "vitest";
import { startMeasuring, withoutQuery } from "../../web/src/measuring";

const scripts = () => [...document.head.querySelectorAll("script")].map((script) => script.getAttribute("src"));

beforeEach(() => {
  document.head.replaceChildren();
});

it("tells the bare address only", () => {
  const event = { type: "pageview" as const, url: "https://x.example/models/penguins?island=Dream#parity" };

  expect(withoutQuery(event)).toEqual({ type: "pageview", url: "https://x.example/models/penguins" });
});

it("asks this site only, under the content policy", () => {
  vi.stubEnv("NODE_ENV", "production");
  startMeasuring();

  expect(scripts()).toEqual(["/_vercel/insights/script.js", "/_vercel/speed-insights/script.js"]);
});

it("does nothing where it is not wanted", () => {
  vi.stubGlobal("navigator", { ...navigator, globalPrivacyControl: true });
  startMeasuring();

  expect(scripts()).toEqual([]);
});
