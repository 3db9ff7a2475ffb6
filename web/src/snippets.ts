/** The visitor's own row as code to paste. */

import type { ModelRef } from "./api";
import { predictPath } from "./api";
import type { Row, Value } from "./types";

export const LANGUAGES = ["curl", "Python", "JavaScript"] as const;
export type Language = (typeof LANGUAGES)[number];

export function snippet(language: Language, origin: string, ref: ModelRef, row: Row): string {
  const url = origin + predictPath(ref);
  if (language === "curl") return curl(url, row);
  return language === "Python" ? python(url, row) : javascript(url, row);
}

function curl(url: string, row: Row): string {
  const body = JSON.stringify(row, null, 2).replaceAll("'", "'\\''").replaceAll("\n", "\n  ");
  return `curl '${url}' \\\n  -H 'content-type: application/json' \\\n  -d '${body}'`;
}

function python(url: string, row: Row): string {
  const entries = Object.entries(row).map(([name, value]) => `    ${JSON.stringify(name)}: ${pythonValue(value)},`);
  return `import httpx

row = {
${entries.join("\n")}
}
answer = httpx.post(${JSON.stringify(url)}, json=row)
answer.raise_for_status()
print(answer.json()["predictions"][0])`;
}

function pythonValue(value: Value): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return JSON.stringify(value);
}

function javascript(url: string, row: Row): string {
  return `const row = ${JSON.stringify(row, null, 2)};

const response = await fetch(${JSON.stringify(url)}, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(row),
});
const { predictions } = await response.json();
console.log(predictions[0]);`;
}
