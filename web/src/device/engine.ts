/**
 * The same file that the server runs, run by the browser: rows stay on this device.
 *
 * A file is opened only after its SHA-256 is the card's. Inputs, ties and intervals follow `models/runtime.py`.
 */

import wasmUrl from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";
import { fetchArtifact, fetchBytes, type ModelRef } from "../api";
import { dateInput } from "../dates";
import { isMissingText } from "../numbers";
import { Problem } from "../problem";
import type { Card, Feature, Prediction, Row, Value } from "../types";
import { keepEngine, keepModel } from "./kept";

/** Probabilities closer than this are a tie, which the first class wins, on the server too. */
const TIE = 1e-6;
/** Share of the progress bar that the engine gets; the model's own file is small beside it. */
const ENGINE_SHARE = 0.9;

export interface Engine {
  predict(rows: Row[]): Promise<Prediction[]>;
  close(): Promise<void>;
}

/** Fetch engine and model, check the model against its card, and open it. `onProgress` is told the share done. */
export async function openEngine(
  ref: ModelRef,
  card: Card,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<Engine> {
  if (!env.wasm.wasmBinary) {
    env.wasm.wasmBinary = await fetchBytes(wasmUrl, (share) => onProgress(share * ENGINE_SHARE), signal);
    env.wasm.numThreads = 1;
  }
  const model = await fetchArtifact(ref, (share) => onProgress(ENGINE_SHARE + share * (1 - ENGINE_SHARE)), signal);
  await checkDigest(model, card.digest);
  const session = await start(model);
  void keepEngine(wasmUrl, env.wasm.wasmBinary as Uint8Array<ArrayBuffer>);
  void keepModel(ref, card, model);
  // The first run pays for what later ones share.
  await session.run(feedsOf(session, card, [{}]));
  return {
    async predict(rows) {
      const output = await session.run(feedsOf(session, card, rows), session.outputNames.slice(0, 1));
      const [name] = session.outputNames;
      const data = (name ? output[name]?.data : undefined) as Float32Array | undefined;
      if (!data) throw new Problem("The model gave no answer.", { status: 0, code: "device" });
      return decode(card, data, rows.length);
    },
    close: () => session.release(),
  };
}

/** Start the engine with a model. A browser may forbid WebAssembly, or have no memory left for it. */
async function start(model: Uint8Array<ArrayBuffer>): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(model, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  } catch (error) {
    console.warn(error);
    throw new Problem(
      "Models cannot run in this browser: it does not start the engine (WebAssembly). The server answers.",
      {
        status: 0,
        code: "engine",
      },
    );
  }
}

async function checkDigest(model: Uint8Array<ArrayBuffer>, expected: string): Promise<void> {
  if (!globalThis.crypto?.subtle) {
    throw new Problem("The browser checks files on secure pages only: open this page by https.", {
      status: 0,
      code: "insecure",
    });
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", model));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== expected) {
    throw new Problem("The file is not the one its card describes, so it is not opened.", {
      status: 0,
      code: "digest",
    });
  }
}

function feedsOf(session: InferenceSession, card: Card, rows: Row[]): Record<string, Tensor> {
  const byPosition = (a: Feature, b: Feature) => a.position - b.position;
  const numeric = card.features.filter((feature) => feature.kind !== "category").sort(byPosition);
  const text = card.features.filter((feature) => feature.kind === "category").sort(byPosition);
  const feeds: Record<string, Tensor> = {};
  if (session.inputNames.includes("numeric")) {
    const values = rows.flatMap((row, index) =>
      numeric.map((feature) => toNumber(feature, row[feature.name] ?? null, index)),
    );
    feeds.numeric = new Tensor("float32", Float32Array.from(values), [rows.length, numeric.length]);
  }
  if (session.inputNames.includes("text")) {
    const values = rows.flatMap((row) => text.map((feature) => toText(row[feature.name] ?? null)));
    feeds.text = new Tensor("string", values, [rows.length, text.length]);
  }
  return feeds;
}

function toNumber(feature: Feature, value: Value, row: number): number {
  if (feature.kind === "date") return dateInput(feature, value, row);
  return value === null ? Number.NaN : Number(value);
}

function toText(value: Value): string {
  const text = value === null ? "" : String(value).trim();
  return isMissingText(text) ? "" : text;
}

function decode(card: Card, data: Float32Array, rows: number): Prediction[] {
  const width = card.classes.length || 1;
  return Array.from({ length: rows }, (_, row) => {
    const numbers = Array.from(data.subarray(row * width, (row + 1) * width));
    if (!numbers.every(Number.isFinite)) {
      throw new Problem("The numbers are too extreme: the model gives no finite answer.", {
        status: 422,
        code: "extreme",
      });
    }
    return card.classes.length > 0 ? toClass(card, numbers) : toValue(card, numbers[0] ?? 0);
  });
}

function toClass(card: Card, numbers: number[]): Prediction {
  const best = Math.max(...numbers) - TIE;
  const label = card.classes[numbers.findIndex((number) => number >= best)] ?? "";
  return { label, probabilities: Object.fromEntries(card.classes.map((name, index) => [name, numbers[index] ?? 0])) };
}

function toValue({ interval }: Card, value: number): Prediction {
  if (!interval) return { value };
  const { half_width, coverage } = interval;
  return { value, interval: { low: value - half_width, high: value + half_width, coverage } };
}
