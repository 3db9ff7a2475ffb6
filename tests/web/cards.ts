/** Small cards for tests: every kind of column, and both kinds of answer. */

import type { Card, Feature } from "../../web/src/types";

const NUMBER: Feature = {
  name: "bill_length_mm",
  kind: "number",
  position: 0,
  missing_share: 0.01,
  required: false,
  minimum: 32.1,
  maximum: 59.6,
  quantiles: [32.1, 35.7, 39.2, 44.4, 48.5, 52, 59.6],
  histogram: [2, 4, 9, 14, 20, 24, 18, 16, 14, 20, 22, 26, 21, 12, 6, 3, 1, 1, 1, 1],
  categories: [],
  category_count: 0,
  default: 44.400001525878906,
};

export function feature(changes: Partial<Feature> = {}): Feature {
  return { ...NUMBER, ...changes };
}

export function integer(name: string, minimum: number, maximum: number, histogram: number[]): Feature {
  const middle = Math.round((minimum + maximum) / 2);
  const quantiles = [minimum, minimum, minimum, middle, maximum, maximum, maximum];
  return feature({ name, kind: "integer", minimum, maximum, histogram, quantiles, default: middle, missing_share: 0 });
}

export function category(name: string, values: string[], changes: Partial<Feature> = {}): Feature {
  return feature({
    name,
    kind: "category",
    minimum: null,
    maximum: null,
    quantiles: [],
    histogram: [],
    categories: values.map((value) => ({ value, share: 1 / values.length })),
    category_count: values.length,
    default: values[0] ?? null,
    ...changes,
  });
}

export function boolean(name: string): Feature {
  const histogram = [30, ...Array<number>(18).fill(0), 10];
  return feature({ name, kind: "boolean", minimum: 0, maximum: 1, quantiles: [], histogram, default: 0 });
}

export function date(name: string, changes: Partial<Feature> = {}): Feature {
  const quantiles = [19723, 19760, 19800, 19844, 19900, 20000, 20088];
  const range = { minimum: 19723, maximum: 20088, quantiles, default: "2024-05-01" };
  return feature({ name, kind: "date", ...range, ...changes });
}

export function card(changes: Partial<Card> = {}): Card {
  return {
    contract_version: 1,
    name: "penguins",
    title: "Palmer penguins",
    description: "",
    task: "multiclass",
    target: "species",
    features: [
      NUMBER,
      integer("year", 2007, 2009, [10, ...Array<number>(9).fill(0), 5, ...Array<number>(8).fill(0), 5]),
      category("island", ["Biscoe", "Dream", "Torgersen"]),
      boolean("is_adult"),
    ],
    classes: ["Adelie", "Chinstrap", "Gentoo"],
    class_shares: [0.44, 0.2, 0.36],
    target_quantiles: [],
    target_histogram: [],
    interval: null,
    ignored_columns: ["rowid"],
    examples: [{ bill_length_mm: 39.099998474121094, year: 2007, island: "Dream", is_adult: true }],
    background: [],
    recipe: "linear",
    parameters: {},
    evaluation: {
      rows: 69,
      metrics: [],
      baseline: [],
      leaderboard: [],
      importance: [
        { feature: "island", mean: 0.4, deviation: 0.01 },
        { feature: "bill_length_mm", mean: 0.2, deviation: 0.01 },
      ],
      confusion: [],
      reliability: [],
      residual_quantiles: [],
      predicted_histogram: [],
      refitted: false,
    },
    parity: {
      passed: true,
      tolerance: 1e-5,
      rows: 0,
      label_flips: 0,
      max_error: 0,
      kinds: [],
      worst_row: {},
      engines: [],
      basis: "scikit-learn",
      digest: "",
      versions: {},
    },
    dataset: { name: "penguins.csv", sha256: "", rows: 344, columns: 8, source: null, licence: null },
    warnings: [],
    digest: "",
    size_bytes: 1,
    libraries: {},
    seed: 0,
    training_seconds: 1,
    trained_at: "2026-11-01T00:00:00Z",
    ...changes,
  };
}
