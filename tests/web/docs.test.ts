import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { readPage } from "../../web/plugins/markdown";
import { curlOf } from "../../web/src/docs/curl";
import { chapters, compose, lacking, type Operation, sample } from "../../web/src/docs/openapi";
import { search } from "../../web/src/docs/pages";

const PUBLIC = resolve(import.meta.dirname, "../../web/public");
const FOLDER = resolve(import.meta.dirname, "../../web/docs");
const head = "---\ntitle: T\ndescription: D\ngroup: Start\norder: 1\n---\n";

describe("a page of the documentation", () => {
  it("becomes HTML with addresses for its topics and room for wide tables", () => {
    const page = readPage("x", `${head}\n## Why \`a\` <b>?\n\n### Why\n\n## Why\n\n| a |\n|---|\n| 1 |\n`, PUBLIC);

    expect(page.headings.map(({ id }) => id)).toEqual(["why-a-b", "why", "why-2"]);
    expect(page.html).toContain('<div class="table" tabindex="0"');
  });

  it("escapes what stands in code", () => {
    const page = readPage("x", `${head}\n\`\`\`sh\necho '<script>'\n\`\`\`\n`, PUBLIC);
    expect(page.html).toContain("&lt;script&gt;");
    expect(page.html).not.toContain("<script>");
  });

  it.each([
    ["no head", "# Hello"],
    ["no title", "---\ndescription: D\ngroup: Start\norder: 1\n---\n"],
    ["code in no language", `${head}\n\`\`\`\nls\n\`\`\`\n`],
    ["a picture that is not there", `${head}\n![x](/docs/images/none.png)\n`],
  ])("is refused with %s", (_, source) => {
    expect(() => readPage("x", source, PUBLIC)).toThrow("x.md");
  });

  it("uses only classes and attributes that the content policy lets through", () => {
    for (const name of readdirSync(FOLDER).filter((each) => each.endsWith(".md"))) {
      const { html } = readPage(name.slice(0, -3), readFileSync(resolve(FOLDER, name), "utf8"), PUBLIC);
      expect(html, name).not.toMatch(/<script|<style|\sstyle=|\son\w+=/);
    }
  });
});

describe("search", () => {
  const entry = (title: string, topics: string[]) => ({ slug: title, title, description: "", group: "Use", topics });

  it("finds every word in titles and topics, titles first", () => {
    const among = [entry("Limits", ["Rows"]), entry("Rows", []), entry("Other", [])];
    expect(search("row", among).map(({ title }) => title)).toEqual(["Rows", "Limits"]);
    expect(search("row limits", among).map(({ title }) => title)).toEqual(["Limits"]);
  });
});

const DESCRIPTION = {
  tags: [{ name: "models", description: "What is served" }],
  paths: {
    "/api/models/{slug}": {
      patch: {
        tags: ["models"],
        operationId: "change",
        description: "Change it.\n\nOnly yours.",
        security: [{ bearer: [] }],
        parameters: [
          { name: "slug", in: "path", required: true, schema: { type: "string", examples: ["penguins"] } },
          { name: "dry", in: "query", schema: { type: "string", enum: ["0", "1"] } },
        ],
        requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Change" } } } },
        responses: { "200": { description: "Changed" } },
      },
      get: { tags: ["other"], operationId: "read", summary: "Read it", responses: {} },
    },
  },
  components: {
    schemas: {
      Change: {
        type: "object",
        required: ["title", "count", "parts", "self"],
        properties: {
          title: { anyOf: [{ type: "null" }, { type: "string", examples: ["Birds"] }] },
          count: { type: "integer", minimum: 2 },
          parts: { type: "array", items: { type: "boolean" } },
          self: { type: "object", properties: {} },
          optional: { type: "string" },
        },
      },
    },
  },
};

describe("the API's description", () => {
  const [models, other] = chapters(DESCRIPTION);
  const change = models?.operations[0] as Operation;

  it("is read by chapters, the unnamed ones last", () => {
    expect([models?.name, other?.name]).toEqual(["models", "other"]);
    expect(change).toMatchObject({ method: "PATCH", lead: "Change it.", more: "Only yours.", isOpenToAll: false });
    expect(other?.operations[0]).toMatchObject({ lead: "Read it", isOpenToAll: true });
  });

  it("gives a body to start from", () => {
    const example = JSON.parse(change.bodies[0]?.examples[0]?.text ?? "");
    expect(example).toEqual({ title: "Birds", count: 2, parts: [false], self: {} });
  });

  it("ends where a schema holds itself", () => {
    const node = { type: "object", required: ["next"], properties: { next: { $ref: "#/node" } } };
    expect(JSON.stringify(sample({ node }, node)).length).toBeLessThan(200);
  });

  it("composes what is sent, and says what lacks", () => {
    expect(lacking(change, { slug: " " })).toEqual(["slug"]);
    const asked = compose(change, { slug: "a/b", dry: "" }, change.bodies[0] ?? null, "{}");
    expect(asked).toEqual({ path: "/api/models/a%2Fb", headers: { "content-type": "application/json" }, body: "{}" });
    expect(compose(change, { slug: "a", dry: "1" }, null, "").path).toBe("/api/models/a?dry=1");
  });

  it("spells a call for a shell, with quotes in it, and keeps a person's token out", () => {
    const asked = { path: "/x", headers: { "content-type": "text/csv" }, body: "it's" };
    expect(curlOf("http://h", "POST", asked, { key: "rc_1" })).toBe(
      `curl -X POST 'http://h/x' \\\n  -H "authorization: Bearer rc_1" \\\n  -H 'content-type: text/csv' \\\n  --data-binary 'it'\\''s'`,
    );
    expect(curlOf("http://h", "GET", { path: "/x", headers: {}, body: null }, "session")).toContain("$ROWCAST_TOKEN");
  });
});
