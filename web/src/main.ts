import "./style.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { renewBy } from "./account/session.svelte";

renewBy(async (refused) => (await import("./account/auth")).renew(refused));

const target = document.getElementById("app");
if (target) {
  // A page that came as finished text stays as it is until the code that shows the same is here.
  if (target.hasChildNodes()) await import("./docs/DocsPage.svelte").then(({ prepare }) => prepare(location.pathname));
  target.replaceChildren();
  mount(App, { target });
}

// Once the page is at rest: what is kept for a day without a network must not hold up the first visit.
if (import.meta.env.PROD && "serviceWorker" in navigator) {
  const register = () => navigator.serviceWorker.register("/sw.js").catch(() => undefined);
  const later = () => setTimeout(register, 1000);
  if (document.readyState === "complete") later();
  else addEventListener("load", later);
}

if (import.meta.env.ROWCAST_IS_MEASURED) void import("./measuring").then(({ startMeasuring }) => startMeasuring());
