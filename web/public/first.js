// What cannot wait for the site's own code; a file because the page allows no inline script.
(() => {
  let choice = null;
  let session = null;
  try {
    choice = localStorage.getItem("rowcast-theme");
    session = localStorage.getItem("rowcast-session");
  } catch {
    // Storage may be blocked; the system's choice then stands, and nobody is signed in.
  }
  // Before the first paint, so that a chosen theme never flashes.
  if (choice === "light" || choice === "dark") document.documentElement.dataset.theme = choice;

  // A visitor's page asks these first: asked now, they are answered when the code that asks for them is here. Somebody who
  // is signed in asks with a token, which only that code has.
  const model = /^\/models\/[^/@]+$/.test(location.pathname) ? `/api${location.pathname}` : null;
  const asked = session ? [] : model ? [model, `${model}/card`] : location.pathname === "/" ? ["/api/models"] : [];
  const ask = (path) => fetch(path, { signal: AbortSignal.timeout(20_000) }).catch(() => null);
  window.rowcastAsked = new Map(asked.map((path) => [path, ask(path)]));
})();
