/** What the API speaks of, under its own names; the shapes come from its own description. */

import type { components } from "./api-types";

type Schemas = components["schemas"];

export type Card = Schemas["Card"];
export type Feature = Schemas["Feature"];
export type Metric = Schemas["Metric"];
export type Candidate = Schemas["Candidate"];
export type Importance = Schemas["Importance"];
export type ReliabilityBin = Schemas["ReliabilityBin"];
export type Evaluation = Schemas["Evaluation"];
export type ParityKind = Schemas["ParityKind"];
export type Model = Schemas["Model"];
export type Traffic = Schemas["RecentTraffic"];
export type Config = Schemas["Config"];
export type Member = Schemas["Member"];
export type Me = Schemas["Me"];
export type Version = Schemas["ListedVersion"];
export type FieldNote = Schemas["FieldProblem"];
export type ProblemBody = Schemas["Problem"];
export type Task = Card["task"];
export type Value = number | boolean | string | null;
export type Row = Record<string, Value>;

export interface ClassPrediction {
  label: string;
  probabilities: Record<string, number>;
}

export interface ValuePrediction {
  value: number;
  interval?: Schemas["Prediction"]["interval"];
}

/** The description allows all four members at once; an answer holds either the first two or the last two. */
export type Prediction = ClassPrediction | ValuePrediction;
export type Explanation = Schemas["Explanation"];
export type WhatIf = Omit<Schemas["WhatIf"], "points"> & { points: { value: Value; prediction: Prediction }[] };
export type Answer = Omit<Schemas["Answer"], "predictions"> & { predictions: Prediction[] };
