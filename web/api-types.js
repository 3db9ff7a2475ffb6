/** OpenAPI on standard input, TypeScript on standard output: shapes only, so that a reworded description changes nothing. */

import { text } from "node:stream/consumers";
import openapiTS, { astToString } from "openapi-typescript";

const WORDING = new Set(["title", "description", "summary", "examples", "example"]);

/** Drop what is written for people. Below `properties`, keys are names: a column may be called "title". */
function strip(node, isNames = false) {
  if (Array.isArray(node)) return node.map((entry) => strip(entry));
  if (typeof node !== "object" || node === null) return node;
  const kept = Object.entries(node).filter(([key]) => isNames || !WORDING.has(key));
  return Object.fromEntries(kept.map(([key, value]) => [key, strip(value, key === "properties" || key === "schemas")]));
}

const schema = strip(JSON.parse(await text(process.stdin)));
schema.info = { title: "Rowcast", version: "" };
process.stdout.write("/** Generated from the API's own description by `npm run types`; do not edit. */\n\n");
process.stdout.write(astToString(await openapiTS(schema, { alphabetize: true })));
