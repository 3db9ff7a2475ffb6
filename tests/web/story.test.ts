import { expect, it } from "vitest";
import type { Column, Profile } from "../../web/src/datasets/profile";
import { typeChoices, withDropped, withType } from "../../web/src/datasets/profile";
import type { Run, RunEvent } from "../../web/src/runs/calls";
import { BLANK, draftOf, orderOf, slugOf, suggestTargets, taskOf, warningsFor } from "../../web/src/runs/order";
import { bestOf, chartData, metricOf, ranked, tell, UNTOLD } from "../../web/src/runs/story";
import { formatSeconds, stagePlace } from "../../web/src/runs/words";

let seq = 0;
function event(kind: string, data: Record<string, unknown> = {}): RunEvent {
  seq += 1;
  return { seq, at: "2026-11-28T10:00:00Z", kind, data };
}
function trial(recipe: string, score: number | null, pruned = false): RunEvent {
  return event("trial", { recipe, score, pruned, seconds: 0.1, parameters: {}, elapsed_seconds: 1 });
}

it("tells trials, doubts and scores once each, however often the events come", () => {
  const events = [
    event("running"),
    event("profiled", { task: "binary", rows: 90, columns: [{ kind: "number" }, { kind: null }], warnings: ["Few."] }),
    trial("baseline", 0.7),
    trial("linear", 0.4),
    event("finished", { metrics: [] }),
  ];
  const story = tell(tell(UNTOLD, events), events);

  expect(story).toMatchObject({ task: "binary", rows: 90, features: 1, warnings: ["Few."], attempt: 1, metrics: [] });
  expect(story.trials.map((each) => [each.number, each.recipe])).toEqual([
    [1, "baseline"],
    [2, "linear"],
  ]);
});

it("begins anew when another worker takes the run up", () => {
  const story = tell(UNTOLD, [event("running"), trial("linear", 0.4), event("running"), trial("forest", 0.3)]);

  expect(story.attempt).toBe(2);
  expect(story.trials.map((each) => each.recipe)).toEqual(["forest"]);
  expect(story.progress).toBe(0);
});

it("ranks by the direction of the score, and what was given up behind the rest", () => {
  const { trials } = tell(UNTOLD, [trial("a", 0.5), trial("b", 0.3), trial("c", 0.1, true), trial("d", null)]);

  expect(ranked(trials, "log_loss").map((each) => each.recipe)).toEqual(["b", "a", "d", "c"]);
  expect(ranked(trials, "accuracy").map((each) => each.recipe)).toEqual(["a", "b", "d", "c"]);
  expect(bestOf(trials, "log_loss")?.recipe).toBe("b");
  expect(bestOf([], "log_loss")).toBeNull();
});

it("draws better scores higher, whatever better means, and keeps far outliers at the edge", () => {
  const { trials } = tell(UNTOLD, [
    trial("baseline", 1),
    trial("a", 0.4),
    trial("b", 900),
    trial("c", 0.6),
    trial("d", 0.2, true),
  ]);
  const data = chartData(trials, "log_loss");
  const [baseline, a, outlier, c] = data?.dots ?? [];

  expect(a?.y).toBeGreaterThan(c?.y ?? 1);
  expect(c?.y).toBeGreaterThan(baseline?.y ?? 1);
  expect(outlier).toMatchObject({ isCut: true });
  expect(data?.baseline).toBe(baseline?.y);
  // What was given up is a dot, never the best.
  expect(data?.best.at(-1)?.y).toBe(a?.y);
  expect(data?.dots.every(({ y }) => y >= 0 && y <= 1)).toBe(true);
  expect(chartData(tell(UNTOLD, [trial("a", null)]).trials, "log_loss")).toBeNull();
});

it("draws a single trial", () => {
  const data = chartData(tell(UNTOLD, [trial("baseline", 0)]).trials, "r2");

  expect(data?.dots[0]?.y).toBeGreaterThan(0);
  expect(data?.from).toBeLessThan(data?.to ?? 0);
});

it("shows no score as possible that is better than perfect", () => {
  expect(chartData(tell(UNTOLD, [trial("baseline", 1), trial("a", 0.01)]).trials, "log_loss")?.to).toBeCloseTo(0);
  expect(chartData(tell(UNTOLD, [trial("baseline", 0), trial("a", 0.99)]).trials, "r2")?.to).toBe(1);
});

it("knows which score the search goes by", () => {
  expect(metricOf({}, "regression")).toBe("r2");
  expect(metricOf({}, null)).toBe("log_loss");
  expect(metricOf({ metric: "f1" }, "binary")).toBe("f1");
});

it("writes times and stages as people read them", () => {
  expect([8.4, 60, 80, 3600, 3900].map(formatSeconds)).toEqual(["8 s", "1 min", "1 min 20 s", "1 h", "1 h 5 min"]);
  expect(stagePlace("calibrate")).toBe(stagePlace("refit"));
  expect(stagePlace(null)).toBe(-1);
});

function column(name: string, facts: Partial<Column> = {}): Column {
  return {
    ...{ name, type: "category", detected: "category", written: null, evidence: "texts", used: true, reason: null },
    ...{ choices: ["category", "text", "id"], missing: 0, missing_share: 0, distinct: 3, distinct_exact: true },
    ...{ minimum: null, maximum: null, mean: null, quantiles: [], histogram: null, top: [], warnings: [] },
    ...facts,
  };
}
function profile(columns: Column[], others: Partial<Profile> = {}): Profile {
  return { format: "csv", bytes: 1, rows: 100, sampled_rows: 100, columns, warnings: [], preview: [], ...others };
}

it.each([
  [column("a", { type: "integer", distinct: 2 }), "binary"],
  [column("a", { type: "integer", distinct: 10 }), "multiclass"],
  [column("a", { type: "integer", distinct: 11 }), "regression"],
  [column("a", { type: "integer", distinct: 5, missing: 80 }), "regression"],
  [column("a", { type: "number", distinct: 3 }), "regression"],
  [column("a", { type: "boolean", distinct: 2 }), "binary"],
  [column("a", { distinct: 101 }), null],
  [column("a", { distinct: 1 }), null],
])("sees what kind of question a column is", (asked, task) => {
  expect(taskOf(asked, 100)).toBe(task);
});

it("suggests what people want to know, then the last column", () => {
  const columns = [
    column("amount"),
    column("species"),
    column("at", { type: "date" }),
    column("island"),
    column("note", { type: "text" }),
  ];

  expect(suggestTargets(profile(columns))).toEqual(["species", "island", "amount"]);
});

it("warns of columns that sound like the answer, unless they are left out, and believes the server first", () => {
  const columns = [column("churned"), column("churned_at"), column("outcome_code"), column("age")];

  expect(warningsFor(profile(columns), "churned", []).map((each) => each.column)).toEqual([
    "churned_at",
    "outcome_code",
  ]);
  expect(warningsFor(profile(columns), "churned", ["churned_at"]).map((each) => each.column)).toEqual(["outcome_code"]);
  const told = [{ column: "churned", task: "binary" as const, warnings: [] }];
  expect(warningsFor(profile(columns, { targets: told }), "churned", [])).toEqual([]);
});

it("asks for what was chosen and nothing else, and can begin again from a run", () => {
  const draft = {
    ...BLANK,
    target: "churned",
    slug: "churn",
    holdout: "time" as const,
    holdoutColumn: "at",
    holdoutPercent: 25,
    seed: 0,
  };
  const order = orderOf("d1", draft);

  expect(order.options).toEqual({
    time_budget_seconds: 30,
    seed: 0,
    holdout: { by: "time", column: "at", share: 0.25 },
  });
  expect(draftOf({ ...order, model: "churn", options: order.options } as unknown as Run)).toEqual(draft);
});

it.each([
  ["Palmer penguins", "palmer-penguins"],
  ["  Größe & Preis (2026) ", "gro-e-preis-2026"],
  ["Éclair", "eclair"],
  ["日本", ""],
  [`${"a".repeat(62)} b`, "a".repeat(62)],
])("makes an address of %s", (title, slug) => {
  expect(slugOf(title)).toBe(slug);
});

it("keeps what was said of other columns, and forgets what the file says itself", () => {
  const zip = column("zip", { type: "integer", detected: "integer" });
  const said = { types: { age: "integer" }, drop: ["id"] };

  expect(withType(said, zip, "category")).toEqual({ types: { age: "integer", zip: "category" }, drop: ["id"] });
  expect(withType(withType(said, zip, "category"), zip, "integer")).toEqual(said);
  expect(withDropped(withDropped(said, "zip", true), "id", false).drop).toEqual(["zip"]);
  expect(typeChoices(zip, { types: { zip: "date:day_first" }, drop: [] })).toEqual([
    "integer",
    "date:day_first",
    "category",
    "text",
    "id",
  ]);
});
