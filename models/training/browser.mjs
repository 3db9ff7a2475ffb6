/**
 * Answers packed rows with the browser's runtime: `node browser.mjs RUNTIME FOLDER`, where FOLDER holds the model and the rows.
 * Ends with 3 where the runtime does not even echo a number, and with 4 where it does but cannot run the model.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const NO_RUNTIME = 3;
const MODEL_FAILED = 4;
const [runtime, folder] = process.argv.slice(2);

/** Runs a step; where it fails, says why in one line and ends. */
async function orEnd(code, step) {
  try {
    return await step();
  } catch (error) {
    console.error(String(error?.message ?? error).replaceAll("\n", " "));
    process.exit(code);
  }
}

const open = async (ort, name) =>
  ort.InferenceSession.create(await readFile(join(folder, name)), { executionProviders: ["wasm"] });

const ort = await orEnd(NO_RUNTIME, async () => {
  const ort = await import(pathToFileURL(runtime));
  ort.env.wasm.numThreads = 1;
  const echo = await open(ort, "echo.onnx");
  const { answer } = await echo.run({ given: new ort.Tensor("float32", [7], [1]) });
  if (answer.data[0] !== 7) {
    throw new Error(`echoed ${answer.data[0]} for 7`);
  }
  return ort;
});

const { rows, numbers, texts } = JSON.parse(await readFile(join(folder, "rows.json"), "utf8"));
const bytes = await readFile(join(folder, "numeric.bin"));
const answer = await orEnd(MODEL_FAILED, async () => {
  const session = await open(ort, "model.onnx");
  const feeds = {};
  if (session.inputNames.includes("numeric")) {
    const cells = new Float32Array(bytes.buffer, bytes.byteOffset, rows * numbers);
    feeds.numeric = new ort.Tensor("float32", cells, [rows, numbers]);
  }
  if (session.inputNames.includes("text")) {
    feeds.text = new ort.Tensor("string", texts.flat(), [rows, texts[0].length]);
  }
  return (await session.run(feeds))[session.outputNames[0]];
});
await writeFile(join(folder, "answers.json"), JSON.stringify(Array.from(answer.data, Number)));
