/** The visitor's own row as code to paste. */

import type { ModelRef } from "./api";
import { predictPath } from "./api";
import type { Row, Value } from "./types";

export const LANGUAGES = ["curl", "Python", "JavaScript", "SQL"] as const;
export type Language = (typeof LANGUAGES)[number];

export function snippet(language: Language, origin: string, ref: ModelRef, row: Row): string {
  if (language === "curl") return curl(origin, ref, row);
  const url = origin + predictPath(ref);
  if (language === "SQL") return sql(url, row);
  return language === "Python" ? python(url, row) : javascript(url, row);
}

/** A prediction from a shell, in the name of an API key if there is one. */
export function curl(origin: string, ref: ModelRef, row: Row, key: string | null = null): string {
  const body = JSON.stringify(row, null, 2).replaceAll("'", "'\\''").replaceAll("\n", "\n  ");
  const named = key ? `  -H 'authorization: Bearer ${key}' \\\n` : "";
  return `curl '${origin}${predictPath(ref)}' \\\n${named}  -H 'content-type: application/json' \\\n  -d '${body}'`;
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

/** For Supabase's SQL editor: pg_net sends the row once the statement is done, and keeps what came back. */
function sql(url: string, row: Row): string {
  return `-- pg_net must be enabled: create extension if not exists pg_net;
select net.http_post(
  url := ${sqlText(url)},
  body := ${sqlText(JSON.stringify(row, null, 2).replaceAll("\n", "\n  "))}::jsonb
) as request_id;

-- A moment later, the newest answer:
select status_code, content::jsonb #> '{predictions,0}' as prediction
from net._http_response
order by id desc
limit 1;`;
}

/** A text as standard SQL writes it: quotes doubled, everything else as it is. */
function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
