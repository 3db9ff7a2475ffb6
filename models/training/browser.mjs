/** Answers packed rows with the browser's runtime: `node browser.mjs RUNTIME FOLDER`, where FOLDER holds the model and the rows. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [runtime, folder] = process.argv.slice(2);
const ort = await import(pathToFileURL(runtime));
ort.env.wasm.numThreads = 1;

const { rows, numbers, texts } = JSON.parse(await readFile(join(folder, "rows.json"), "utf8"));
const session = await ort.InferenceSession.create(await readFile(join(folder, "model.onnx")), {
  executionProviders: ["wasm"],
});
const feeds = {};
if (session.inputNames.includes("numeric")) {
  const bytes = await readFile(join(folder, "numeric.bin"));
  const cells = new Float32Array(bytes.buffer, bytes.byteOffset, rows * numbers);
  feeds.numeric = new ort.Tensor("float32", cells, [rows, numbers]);
}
if (session.inputNames.includes("text")) {
  feeds.text = new ort.Tensor("string", texts.flat(), [rows, texts[0].length]);
}
const answer = (await session.run(feeds))[session.outputNames[0]];
await writeFile(join(folder, "answers.json"), JSON.stringify(Array.from(answer.data, Number)));
