// @vitest-environment jsdom
import { expect, it } from "vitest";
import { modelPath, pageAt } from "../../web/src/router.svelte";

it.each([
  ["/", { name: "home" }],
  ["/models", { name: "home" }],
  ["/models/", { name: "home" }],
  ["/models/penguins", { name: "model", ref: { slug: "penguins", version: null } }],
  ["/models/penguins@3", { name: "model", ref: { slug: "penguins", version: "3" } }],
  ["/models/penguins@challenger", { name: "model", ref: { slug: "penguins", version: "challenger" } }],
  ["/models/penguins@", { name: "missing" }],
  ["/models/a@b@c", { name: "missing" }],
  ["/models/%E0%A4%A", { name: "missing" }],
  ["/models/penguins/more", { name: "missing" }],
  ["/nope", { name: "missing" }],
])("%s is its own page", (path, page) => {
  expect(pageAt(path)).toEqual(page);
});

it("gives a model's page the address that leads back to it", () => {
  const ref = { slug: "used-cars", version: "2" };
  expect(pageAt(modelPath(ref))).toEqual({ name: "model", ref });
});
