import "./style.css";
import { mount } from "svelte";
import App from "./App.svelte";

const target = document.getElementById("app");
if (target) mount(App, { target });

if (import.meta.env.ROWCAST_IS_MEASURED) void import("./measuring").then(({ startMeasuring }) => startMeasuring());
