// @vitest-environment jsdom
import { expect, it } from "vitest";
import { snippet } from "../../web/src/snippets";

const ref = { slug: "penguins", version: null };
const row = { island: "Ile d'Été", bill_length_mm: 39.1, is_adult: true, sex: null };

it("writes curl that survives quotes in values", () => {
  const code = snippet("curl", "https://rowcast.example", ref, row);
  expect(code).toContain("curl 'https://rowcast.example/api/predict/penguins'");
  expect(code).toContain(`"island": "Ile d'\\''Été"`);
});

it("writes Python with Python's own words", () => {
  const code = snippet("Python", "https://rowcast.example", { slug: "penguins", version: "3" }, row);
  expect(code).toContain('httpx.post("https://rowcast.example/api/predict/penguins@3", json=row)');
  expect(code).toContain('"is_adult": True,');
  expect(code).toContain('"sex": None,');
});

it("writes JavaScript that is valid as it stands", () => {
  const code = snippet("JavaScript", "https://rowcast.example", ref, row);
  expect(() => new Function(`return async () => { ${code} }`)).not.toThrow();
});

it("writes SQL that survives quotes in values", () => {
  const code = snippet("SQL", "https://rowcast.example", ref, row);
  expect(code).toContain("url := 'https://rowcast.example/api/predict/penguins'");
  expect(code).toContain(`"island": "Ile d''Été"`);
});
