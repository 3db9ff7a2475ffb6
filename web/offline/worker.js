// The site without a network (a service worker). `plugins/offline.ts` writes four lines in front: BUILD, the name of this
// build; ENTRY, the script that its page begins with; SHELL, the files that show a page of it; ENGINE, the file that runs
// models on the device.
//
// Pages are asked for at the server first, so nobody is shown yesterday's site while there is a network. The page that is
// kept comes with every file it needs, from one build, or is not kept at all. The build before stays as well: its open
// tabs can still load their parts after the server has forgotten them.

/* global BUILD, ENTRY, SHELL, ENGINE */

const SITES = "rowcast-site-";
const SITE = SITES + BUILD;
const SEEN = "rowcast-seen";
const SEEN_MAX = 60;
/** Written by `src/device/kept.ts`: models that were opened on this device, those of somebody signed in by themselves. */
const KEPT = ["rowcast-kept-mine", "rowcast-kept"];
const PAGE = "/index.html";
const MODEL = /^\/api\/models(\/[^/]+(\/(card|artifact))?)?$/;
const NO_PAGE = /^\/(api|v2|invocations|docs\/[^/]+\.md$)|^\/(ping|version|robots\.txt|sitemap\.xml|llms.*\.txt)$/;

self.addEventListener("install", (event) => {
  // What is never answered from here does not even wake this file up, where the browser knows how.
  const direct = ["/api/predict/*", "/api/runs/*", "/auth/*"].map((pathname) => ({
    condition: { urlPattern: { pathname } },
    source: "network",
  }));
  event.waitUntil(Promise.all([keepSite(), keepEngine(), event.addRoutes?.(direct).catch(() => undefined)]));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil(Promise.all([forgetOldSites(), self.registration.navigationPreload?.enable(), self.clients.claim()]));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate") {
    if (!NO_PAGE.test(url.pathname)) event.respondWith(page(event));
  } else if (MODEL.test(url.pathname)) event.respondWith(aboutModel(event));
  else if (url.pathname.startsWith("/assets/") || SHELL.includes(url.pathname)) event.respondWith(file(event));
});

/** Keep a page with all its files, or nothing of it. */
async function keepSite() {
  const answer = await fetch(PAGE, { cache: "reload" });
  const html = await answer.clone().text();
  // Between two deployments the server may answer with the other one's page.
  if (!answer.ok || !html.includes(ENTRY)) throw new Error("The page is not of this build.");
  const site = await caches.open(SITE);
  try {
    await site.addAll(SHELL);
    await site.put(PAGE, answer);
  } catch (error) {
    await caches.delete(SITE);
    throw error;
  }
}

/** Models that were kept need the engine of this build. */
async function keepEngine() {
  if (!(await caches.has("rowcast-kept"))) return;
  const kept = await caches.open("rowcast-kept");
  if (await kept.match(ENGINE)) return;
  const engines = (await kept.keys()).filter((request) => request.url.endsWith(".wasm"));
  if (engines.length === 0) return;
  await kept.add(ENGINE);
  await Promise.all(engines.map((request) => kept.delete(request)));
}

async function forgetOldSites() {
  const others = (await caches.keys()).filter((name) => name.startsWith(SITES) && name !== SITE);
  await Promise.all(others.slice(0, -1).map((name) => caches.delete(name)));
}

async function page(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch (error) {
    return otherwise(await caches.match(PAGE, { cacheName: SITE }), error);
  }
}

/** Files of a build never change under their name, whichever build it was. */
async function file(event) {
  const name = new URL(event.request.url).pathname;
  const known = name.startsWith("/assets/") ? await caches.match(event.request, { ignoreVary: true }) : undefined;
  if (known) return known;
  try {
    const answer = await fetch(event.request);
    if (answer.ok && /\.(js|css|woff2)$/.test(name)) event.waitUntil(put(SITE, event.request, answer.clone()));
    return answer;
  } catch (error) {
    return otherwise(await caches.match(event.request, { ignoreVary: true }), error);
  }
}

/** What is said about a model: as the server says it now, or as it was said last. */
async function aboutModel(event) {
  const { request } = event;
  try {
    const answer = await fetch(request);
    const isForAnybody = !request.headers.has("authorization") && !request.url.includes("/artifact");
    if (answer.ok && isForAnybody) event.waitUntil(put(SEEN, request, answer.clone()).then(forgetOldest));
    return answer;
  } catch (error) {
    // A card and its file are kept together; what was only seen may be about another version.
    for (const cacheName of [...KEPT, SEEN]) {
      const known = await caches.match(request, { cacheName, ignoreVary: true });
      if (known) return known;
    }
    throw error;
  }
}

async function forgetOldest() {
  const seen = await caches.open(SEEN);
  const requests = await seen.keys();
  await Promise.all(requests.slice(0, -SEEN_MAX).map((request) => seen.delete(request)));
}

async function put(name, request, answer) {
  const cache = await caches.open(name);
  // Newest last.
  await cache.delete(request, { ignoreVary: true });
  await cache.put(request, answer);
}

function otherwise(known, error) {
  if (known) return known;
  throw error;
}
