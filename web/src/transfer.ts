/** Sends a file with its progress told, which fetch cannot; like `api.ts`, every failure leaves it as one `Problem`. */

import { silence } from "./api";
import { formatBytes } from "./numbers";
import { Problem } from "./problem";

/** Without a byte moving for so long, the connection is taken for lost. */
const SILENCE_MS = 45_000;

export interface Target {
  url: string;
  method: string;
  headers: Record<string, string>;
}

/** Send a file to an address that is its permission, telling the share that has gone. */
export function sendFile(
  target: Target,
  file: File,
  onShare: (share: number) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let timer = setTimeout(giveUp, SILENCE_MS);
    let isGivenUp = false;

    function giveUp(): void {
      isGivenUp = true;
      request.abort();
    }
    function settle(problem: Problem | null): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      if (problem) reject(problem);
      else resolve();
    }
    const stop = () => request.abort();
    signal.addEventListener("abort", stop);

    request.upload.onprogress = (event) => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, SILENCE_MS);
      if (event.lengthComputable && event.total > 0) onShare(event.loaded / event.total);
    };
    request.onload = () => settle(request.status >= 200 && request.status < 300 ? null : refusal(request, file));
    request.onerror = () => settle(silence(false));
    request.onabort = () => settle(isGivenUp ? silence(true) : new Problem("Stopped.", { status: 0, code: "stopped" }));
    request.open(target.method, target.url);
    for (const [name, value] of Object.entries(target.headers)) request.setRequestHeader(name, value);
    request.send(file);
  });
}

/** Storage wraps some of its statuses in a 400. */
interface StorageBody {
  statusCode?: string | number;
  message?: string;
}

function refusal(request: XMLHttpRequest, file: File): Problem {
  const body = bodyOf(request.responseText);
  const status = request.status === 400 ? Number(body.statusCode) || 400 : request.status;
  const facts = { status, code: `storage_${status}` };
  if (status === 413) return new Problem(`Storage takes no file of ${formatBytes(file.size)} here.`, facts);
  if (status === 429)
    return new Problem("Storage is asked too often at the moment; try again in a little while.", facts);
  return new Problem(body.message || `Storage answered with status ${status}.`, facts);
}

function bodyOf(text: string): StorageBody {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null ? (body as StorageBody) : {};
  } catch {
    return {};
  }
}
