/** The shapes that the API answers with, under the same names as in `models/contract.py`. */

export type Task = "binary" | "multiclass" | "regression";
export type FeatureKind = "number" | "integer" | "boolean" | "category";
export type Value = number | boolean | string | null;
export type Row = Record<string, Value>;

export interface CategoryCount {
  value: string;
  share: number;
}

export interface Feature {
  name: string;
  kind: FeatureKind;
  position: number;
  missing_share: number;
  required: boolean;
  minimum: number | null;
  maximum: number | null;
  quantiles: number[];
  histogram: number[];
  categories: CategoryCount[];
  category_count: number;
  default: Value;
}

export interface Metric {
  name: string;
  value: number;
  low: number;
  high: number;
  better: "higher" | "lower";
  primary: boolean;
}

export interface Candidate {
  recipe: string;
  score: number;
  seconds: number;
  chosen: boolean;
  parameters: Record<string, Value>;
}

export interface Importance {
  feature: string;
  mean: number;
  deviation: number;
}

export interface ReliabilityBin {
  predicted: number;
  observed: number;
  count: number;
}

export interface Evaluation {
  rows: number;
  metrics: Metric[];
  baseline: Metric[];
  leaderboard: Candidate[];
  importance: Importance[];
  confusion: number[][];
  reliability: ReliabilityBin[];
  residual_quantiles: number[];
}

export interface ParityKind {
  kind: "held_out" | "missing" | "unseen" | "extreme" | "threshold";
  rows: number;
  label_flips: number;
  max_error: number;
}

export interface ParityCertificate {
  passed: boolean;
  tolerance: number;
  rows: number;
  label_flips: number;
  max_error: number;
  kinds: ParityKind[];
  worst_row: Row;
  engines: string[];
}

export interface Card {
  contract_version: number;
  name: string;
  title: string;
  description: string;
  task: Task;
  target: string;
  features: Feature[];
  classes: string[];
  class_shares: number[];
  target_quantiles: number[];
  target_histogram: number[];
  interval: { coverage: number; half_width: number; measured: number } | null;
  ignored_columns: string[];
  examples: Row[];
  background: Row[];
  recipe: string;
  parameters: Record<string, Value>;
  evaluation: Evaluation;
  parity: ParityCertificate;
  dataset: {
    name: string;
    sha256: string;
    rows: number;
    columns: number;
    source: string | null;
    licence: string | null;
  };
  warnings: string[];
  digest: string;
  size_bytes: number;
  libraries: Record<string, string>;
  seed: number;
  training_seconds: number;
  trained_at: string;
}

export interface Champion {
  number: number;
  digest: string;
  metrics: Metric[];
  baseline: Metric[];
  rows: number;
  classes?: string[];
  created_at: string;
}

export interface Model {
  slug: string;
  title: string;
  description: string;
  task: Task;
  target: string;
  visibility: "private" | "public";
  champion: Champion | null;
  created_at: string;
}

export interface Version {
  number: number;
  digest: string;
  size_bytes: number;
  aliases: string[];
  metrics: Metric[];
  created_at: string;
}

export interface ClassPrediction {
  label: string;
  probabilities: Record<string, number>;
}

export interface ValuePrediction {
  value: number;
  interval?: { low: number; high: number; coverage: number } | null;
}

export type Prediction = ClassPrediction | ValuePrediction;

export interface FieldNote {
  pointer: string;
  detail: string;
}

export interface PredictAnswer {
  id: string;
  model: string;
  version: number;
  alias: string | null;
  task: Task;
  predictions: Prediction[];
  warnings: FieldNote[];
  timing: { parse_ms: number; infer_ms: number; total_ms: number };
}
