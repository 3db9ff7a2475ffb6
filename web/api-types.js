/**
 * OpenAPI on standard input, TypeScript on standard output: the shapes that the site uses and no wording, so that a
 * change elsewhere in the API changes nothing here.
 */

import { text } from "node:stream/consumers";
import openapiTS, { astToString } from "openapi-typescript";

/** What the site calls. */
const CALLED = /^\/api\/(audit|config|datasets|hooks|keys|me|models|people|predict|runs|subscriptions)(\/|$)/;
const WORDING = new Set(["title", "description", "summary", "examples", "example"]);

/** Drop what is written for people. Below `properties`, keys are names: a column may be called "title". */
function strip(node, isNames = false) {
  if (Array.isArray(node)) return node.map((entry) => strip(entry));
  if (typeof node !== "object" || node === null) return node;
  const kept = Object.entries(node).filter(([key]) => isNames || !WORDING.has(key));
  return Object.fromEntries(kept.map(([key, value]) => [key, strip(value, key === "properties" || key === "schemas")]));
}

/** Name the schemas that `node` speaks of, and those that these speak of. */
function reach(node, schemas, found = new Set()) {
  for (const [, name] of JSON.stringify(node).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    if (found.has(name)) continue;
    found.add(name);
    reach(schemas[name], schemas, found);
  }
  return found;
}

const whole = strip(JSON.parse(await text(process.stdin)));
const paths = Object.fromEntries(Object.entries(whole.paths).filter(([path]) => CALLED.test(path)));
const reached = reach(paths, whole.components.schemas);
const schemas = Object.fromEntries(Object.entries(whole.components.schemas).filter(([name]) => reached.has(name)));
const schema = { openapi: whole.openapi, info: { title: "Rowcast", version: "" }, paths, components: { schemas } };
process.stdout.write("/** Generated from the API's own description by `npm run types`; do not edit. */\n\n");
process.stdout.write(astToString(await openapiTS(schema, { alphabetize: true })));
