/** The API's own description, read into what a page shows and what can be tried. */

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  description: string;
  example: string;
  choices: string[];
}

export interface Body {
  type: string;
  /** Named examples to start from. */
  examples: { name: string; text: string }[];
}

export interface Operation {
  id: string;
  method: string;
  path: string;
  /** What it does in a sentence, and what else there is to know. */
  lead: string;
  more: string;
  parameters: Parameter[];
  bodies: Body[];
  answers: { status: string; description: string }[];
  isOpenToAll: boolean;
}

export interface Chapter {
  name: string;
  description: string;
  operations: Operation[];
}

export interface Asked {
  path: string;
  headers: Record<string, string>;
  body: string | null;
}

type Node = { [key: string]: unknown };

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEPTH = 6;

/** Read a description as the API gives it (OpenAPI 3.1). */
export function chapters(description: unknown): Chapter[] {
  const root = node(description);
  const known = list(root.tags).map((tag) => ({ name: text(tag.name), description: text(tag.description) }));
  const operations = Object.entries(node(root.paths)).flatMap(([path, methods]) =>
    METHODS.filter((method) => node(methods)[method]).map((method) => {
      const found = node(node(methods)[method]);
      return { tag: String((found.tags as unknown[])?.[0] ?? ""), operation: operation(root, path, method, found) };
    }),
  );
  const unnamed = [...new Set(operations.map(({ tag }) => tag))].filter(
    (tag) => !known.some(({ name }) => name === tag),
  );
  return [...known, ...unnamed.map((name) => ({ name, description: "" }))]
    .map((chapter) => ({
      ...chapter,
      operations: operations.filter(({ tag }) => tag === chapter.name).map(({ operation }) => operation),
    }))
    .filter((chapter) => chapter.operations.length > 0);
}

/** What would be sent: empty optional parameters are left out; a path without its parts is none. */
export function compose(
  operation: Operation,
  values: Record<string, string>,
  body: Body | null,
  content: string,
): Asked {
  const of = (place: Parameter["in"]) =>
    operation.parameters.filter((each) => each.in === place && (each.in === "path" || values[each.name]?.trim()));
  const path = of("path").reduce(
    (whole, each) => whole.replace(`{${each.name}}`, encodeURIComponent(values[each.name]?.trim() ?? "")),
    operation.path,
  );
  const query = new URLSearchParams(of("query").map((each) => [each.name, values[each.name]?.trim() ?? ""]));
  const headers = Object.fromEntries(of("header").map((each) => [each.name, values[each.name]?.trim() ?? ""]));
  if (body) headers["content-type"] = body.type;
  return { path: query.size ? `${path}?${query}` : path, headers, body: body ? content : null };
}

/** The parameters that must be there and are not. */
export function lacking(operation: Operation, values: Record<string, string>): string[] {
  return operation.parameters.filter((each) => each.required && !values[each.name]?.trim()).map((each) => each.name);
}

function operation(root: Node, path: string, method: string, found: Node): Operation {
  const whole = text(found.description) || text(found.summary);
  const [lead = "", ...rest] = whole.split(/\n\n/);
  const security = found.security as Node[] | undefined;
  return {
    id: text(found.operationId) || `${method}-${path}`,
    method: method.toUpperCase(),
    path,
    lead: lead.replaceAll("\n", " "),
    more: rest.join("\n\n"),
    parameters: list(found.parameters).map((each) => parameter(root, resolved(root, each))),
    bodies: bodies(root, node(resolved(root, node(found.requestBody)).content)),
    answers: Object.entries(node(found.responses)).map(([status, answer]) => ({
      status,
      description: text(node(answer).description),
    })),
    isOpenToAll: !security || security.some((each) => Object.keys(each).length === 0),
  };
}

function parameter(root: Node, found: Node): Parameter {
  const schema = resolved(root, node(found.schema));
  const first = found.example ?? (schema.examples as unknown[] | undefined)?.[0];
  return {
    name: text(found.name),
    in: found.in as Parameter["in"],
    required: found.required === true,
    description: text(found.description) || text(schema.description),
    example: first === undefined || first === null ? "" : String(first),
    choices: ((schema.enum as unknown[]) ?? []).map(String),
  };
}

function bodies(root: Node, content: Node): Body[] {
  return Object.entries(content)
    .filter(([type]) => type !== "application/octet-stream")
    .map(([type, media]) => {
      const given = Object.entries(node(node(media).examples)).map(([name, each]) => [name, node(each).value] as const);
      const made = [["example", sample(root, node(node(media).schema))]] as const;
      const examples = (given.length > 0 ? given : made).map(([name, value]) => ({ name, text: spell(value) }));
      return { type, examples };
    });
}

/** A value that fits a schema: its own example where it names one, else the plainest there is. */
export function sample(root: Node, given: Node, depth = 0): unknown {
  const schema = resolved(root, given);
  const named = schema.example ?? (schema.examples as unknown[] | undefined)?.[0] ?? schema.const ?? schema.default;
  if (named !== undefined) return named;
  if (schema.enum) return (schema.enum as unknown[])[0];
  const either = list(schema.anyOf ?? schema.oneOf).filter((each) => each.type !== "null");
  if (either[0]) return sample(root, either[0], depth);
  if (schema.allOf) return Object.assign({}, ...list(schema.allOf).map((each) => sample(root, each, depth)));
  const type = Array.isArray(schema.type) ? schema.type.find((each) => each !== "null") : schema.type;
  if (type === "object" || schema.properties) {
    if (depth > DEPTH) return {};
    const required = (schema.required as string[] | undefined) ?? [];
    const entries = Object.entries(node(schema.properties)).filter(([name]) => required.includes(name));
    return Object.fromEntries(entries.map(([name, each]) => [name, sample(root, node(each), depth + 1)]));
  }
  if (type === "array") return depth > DEPTH ? [] : [sample(root, node(schema.items), depth + 1)];
  if (type === "integer" || type === "number") return schema.minimum ?? 0;
  if (type === "boolean") return false;
  return type === "string" ? "" : null;
}

function spell(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function resolved(root: Node, given: Node): Node {
  const reference = given.$ref;
  if (typeof reference !== "string") return given;
  return reference
    .slice(2)
    .split("/")
    .reduce<Node>((place, part) => node(place[part]), root);
}

function node(value: unknown): Node {
  return typeof value === "object" && value !== null ? (value as Node) : {};
}

function list(value: unknown): Node[] {
  return Array.isArray(value) ? value.map(node) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
