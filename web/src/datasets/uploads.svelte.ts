/** The uploads of this tab. They go on while other pages are looked at, and by themselves when the connection is back. */

import { session } from "../account/session.svelte";
import { sendFile } from "../transfer";
import { announce, complete, deleteDataset } from "./calls";
import { checkFile, digestOf } from "./files";
import { type Steps, Upload } from "./upload.svelte";

const AT_ONCE = 2;
const STEPS: Steps = {
  check: checkFile,
  digest: digestOf,
  announce,
  send: sendFile,
  complete,
  remove: deleteDataset,
};

const all = $state<Upload[]>([]);
let last = 0;
let isWatching = false;

/** The uploads of whoever is signed in, newest first. */
export function ownUploads(): Upload[] {
  return all.filter((each) => each.owner === session.account?.id);
}

/** Take files in; two are on their way at a time. */
export function addFiles(files: Iterable<File>): Upload[] {
  watch();
  const added: Upload[] = [];
  for (const file of files) {
    last += 1;
    added.push(new Upload(last, file, session.account?.id ?? "", STEPS));
  }
  all.unshift(...added.toReversed());
  pump();
  return added;
}

/** Go on with one that stopped. */
export async function resume(upload: Upload): Promise<void> {
  await upload.start();
  pump();
}

/** Take one off the list; what was begun is given up. */
export function drop(upload: Upload): void {
  void upload.cancel().then(pump);
  const index = all.indexOf(upload);
  if (index >= 0) all.splice(index, 1);
}

function pump(): void {
  const going = all.filter((each) => each.isGoing).length;
  const next = all.filter((each) => each.phase === "waiting").toReversed();
  for (const upload of next.slice(0, Math.max(0, AT_ONCE - going))) void upload.start().then(pump);
}

function watch(): void {
  if (isWatching) return;
  isWatching = true;
  addEventListener("online", () => {
    for (const each of all) if (each.phase === "stopped" && each.problem?.status === 0) void resume(each);
  });
  addEventListener("beforeunload", (event) => {
    if (all.some((each) => each.isGoing)) event.preventDefault();
  });
}
