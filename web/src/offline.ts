/** Readies the site for a day without a network: see `web/offline/worker.js`. */

const REST_MS = 1000;

/** Start the service worker once the page is at rest: what is kept for later must not hold up the first visit. */
export function prepareOffline(): void {
  if (!("serviceWorker" in navigator)) return;
  const register = () => navigator.serviceWorker.register("/sw.js").catch(() => undefined);
  const later = () => setTimeout(register, REST_MS);
  if (document.readyState === "complete") later();
  else addEventListener("load", later);
}
