import "./style.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { renewBy } from "./account/session.svelte";

renewBy(async (refused) => (await import("./account/auth")).renew(refused));

const target = document.getElementById("app");
if (target) {
  // A page that came as finished text stays as it is until the code that shows the same is here.
  if (target.hasChildNodes()) await import("./docs/DocsPage.svelte").then(({ prepare }) => prepare(location.pathname));
  // A task of its own after the reading of all this code: on a slow phone the two in one would hold up the visitor's finger.
  await new Promise((resolve) => setTimeout(resolve));
  target.replaceChildren();
  mount(App, { target });
}

if (import.meta.env.PROD) void import("./offline").then(({ prepareOffline }) => prepareOffline());

if (import.meta.env.ROWCAST_IS_MEASURED) void import("./measuring").then(({ startMeasuring }) => startMeasuring());
