/** A call of the API as a line for a shell. */

import type { Credential } from "../api";
import type { Asked } from "./openapi";

export function curlOf(origin: string, method: string, asked: Asked, credential: Credential): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  // A person's token is short-lived and nobody's to copy around: a program comes with a key.
  const token = credential === null ? null : credential === "session" ? "$ROWCAST_TOKEN" : credential.key;
  const parts = [
    `curl ${method === "GET" ? "" : `-X ${method} `}${quoted(origin + asked.path)}`,
    ...(token ? [`-H "authorization: Bearer ${token}"`] : []),
    ...Object.entries(asked.headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    ...(asked.body === null ? [] : [`--data-binary ${quoted(asked.body)}`]),
  ];
  return parts.join(" \\\n  ");
}
