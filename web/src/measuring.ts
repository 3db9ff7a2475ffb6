/**
 * Page views and page speed, counted by the hosting platform; in production only (see `main.ts`).
 *
 * Addresses go without what stands behind the path: a visitor's row and one-time codes are nobody's business.
 */

import { inject } from "@vercel/analytics";
import { injectSpeedInsights } from "@vercel/speed-insights";

export function startMeasuring(): void {
  if (isUnwanted()) return;
  inject({ mode: "production", beforeSend: withoutQuery });
  injectSpeedInsights({ beforeSend: withoutQuery });
}

/** The same event about the bare address. */
export function withoutQuery<E extends { url: string }>(event: E): E {
  const { origin, pathname } = new URL(event.url, location.href);
  return { ...event, url: origin + pathname };
}

function isUnwanted(): boolean {
  const { doNotTrack, globalPrivacyControl } = navigator as Navigator & { globalPrivacyControl?: boolean };
  return doNotTrack === "1" || globalPrivacyControl === true;
}
