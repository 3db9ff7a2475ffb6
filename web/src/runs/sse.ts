/** Server-sent events, read from a body: an EventSource can send no token. */

import type { RunEvent } from "./calls";

/** Yield each event; null for a sign of life. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<RunEvent | null> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text = (text + decoder.decode(value, { stream: true })).replaceAll("\r\n", "\n");
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) yield eventOf(block);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function eventOf(block: string): RunEvent | null {
  const lines = block.split("\n").flatMap((line) => (line.startsWith("data:") ? line.slice(5).trimStart() : []));
  return lines.length > 0 ? (JSON.parse(lines.join("\n")) as RunEvent) : null;
}
