/**
 * A training run while it happens, told by its WebSocket and drawn here: no round trip through Python per event.
 *
 * Python gives what is known so far and a ticket for this one run. A connection that breaks is taken up again behind the
 * last event that came; a ticket that has ended is asked for anew. The event that ends a run is told to Python, once.
 * All words that come in are set as text, never as HTML.
 */

const LAST = new Set(["succeeded", "failed", "cancelled"]);
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const WIDTH = 720;
const HEIGHT = 240;
const EDGE = { left: 56, right: 12, top: 12, bottom: 26 };
const LOG_LINES = 100;

/** One view for each place it is mounted at: Streamlit calls the default function again whenever its data changes. */
const views = new WeakMap();

export default function mount({ data, parentElement, setTriggerValue }) {
  const view = views.get(parentElement) ?? open(parentElement);
  views.set(parentElement, view);
  view.update(data, setTriggerValue);
  return () => view.leave();
}

function open(root) {
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const state = { events: new Map(), last: 0, tries: 0, socket: null, timers: new Set(), isOver: false, data: null, pick: -1 };
  let tell = () => {};

  function update(data, setTriggerValue) {
    tell = setTriggerValue;
    const isOther = state.data?.run_id !== data.run_id;
    if (isOther) Object.assign(state, { events: new Map(), last: 0, isOver: false, pick: -1 });
    const hasNewTicket = state.data?.ticket !== data.ticket;
    state.data = data;
    state.left = false;
    for (const event of data.events) take(event);
    draw();
    if (!state.isOver && (isOther || hasNewTicket || !state.socket)) connect();
  }

  function take(event) {
    if (state.events.has(event.seq)) return;
    state.events.set(event.seq, event);
    state.last = Math.max(state.last, event.seq);
    if (LAST.has(event.kind)) state.isOver = true;
  }

  function connect() {
    stop();
    const { url, ticket } = state.data;
    const socket = new WebSocket(url);
    state.socket = socket;
    state.isRefused = false;
    socket.onopen = () => socket.send(JSON.stringify({ ticket, after: state.last }));
    socket.onmessage = ({ data }) => {
      if (socket !== state.socket) return;
      const event = JSON.parse(data);
      if (event.code === "credential_rejected") {
        state.isRefused = true;
        return tell("ticket", Date.now());
      }
      state.tries = 0;
      say("live");
      if (!event.seq) return;
      const wasOver = state.isOver;
      take(event);
      draw();
      if (state.isOver && !wasOver) tell("ended", event.kind);
    };
    socket.onclose = () => {
      if (socket !== state.socket || state.isOver || state.left) return;
      say("lost");
      // A new ticket opens a connection as it comes; the one that was refused is tried again only if none does.
      const wait = state.isRefused ? RETRY_MS.at(-1) : RETRY_MS[Math.min(state.tries, RETRY_MS.length - 1)];
      state.tries += 1;
      if (state.tries === RETRY_MS.length) tell("lost", state.tries);
      later(connect, wait);
    };
  }

  function later(job, ms) {
    const timer = setTimeout(() => {
      state.timers.delete(timer);
      job();
    }, ms);
    state.timers.add(timer);
  }

  function stop() {
    for (const timer of state.timers) clearTimeout(timer);
    state.timers.clear();
    const { socket } = state;
    state.socket = null;
    socket?.close();
  }

  function say(link) {
    root.querySelector(".run").dataset.link = link;
    part("link").textContent = { live: "live", lost: "connecting again …", over: "over" }[link] ?? "connecting …";
  }

  function draw() {
    const events = [...state.events.values()].sort((a, b) => a.seq - b.seq);
    const newest = events.findLast((event) => event.data?.progress !== undefined)?.data ?? {};
    const stages = events.filter((event) => event.kind === "stage").map((event) => event.data.stage);
    const trials = events.filter((event) => event.kind === "trial" && Number.isFinite(event.data.score));
    if (state.isOver) say("over");
    drawStages(stages.at(-1));
    const share = state.isOver && events.at(-1)?.kind === "succeeded" ? 1 : (newest.progress ?? 0);
    part("bar").style.inlineSize = `${Math.round(share * 100)}%`;
    part("progress").setAttribute("aria-valuenow", String(Math.round(share * 100)));
    part("message").textContent = events.findLast((event) => event.data?.message)?.data.message ?? "Waiting for a worker …";
    drawTrials(trials.map((event) => event.data));
    drawLog(events);
    drawClock();
  }

  function drawClock() {
    const events = [...state.events.values()];
    const newest = events.findLast((event) => event.data?.elapsed_seconds !== undefined);
    if (newest && state.seenSeq !== newest.seq) Object.assign(state, { seenSeq: newest.seq, seenAt: Date.now() });
    const since = newest && !state.isOver ? (Date.now() - state.seenAt) / 1000 : 0;
    const passed = newest ? newest.data.elapsed_seconds + since : 0;
    const left = newest?.data.remaining_seconds;
    part("elapsed").textContent = newest ? seconds(passed) : "–";
    part("remaining").textContent = left === undefined || state.isOver ? "–" : seconds(Math.max(0, left - since));
  }

  function drawStages(current) {
    const list = part("stages");
    const names = Object.keys(state.data.stages);
    const place = names.indexOf(current);
    if (list.childElementCount !== names.length) {
      list.replaceChildren(...names.map((name) => node("li", { title: state.data.stages[name] }, state.data.short[name])));
    }
    [...list.children].forEach((item, index) => {
      const isDone = state.isOver || index < place;
      item.dataset.state = isDone ? "done" : index === place ? "now" : "next";
      item.toggleAttribute("aria-current", !isDone && index === place);
    });
  }

  function drawTrials(trials) {
    const best = trials.at(-1)?.best;
    part("best").textContent = Number.isFinite(best) ? best.toPrecision(4) : "–";
    part("recipe").textContent = trials.length ? label(trials.at(-1).best_recipe) : "";
    part("count").textContent = String(trials.length);
    part("chart").hidden = trials.length === 0;
    part("empty").hidden = trials.length > 0 || state.isOver;
    if (!trials.length) return;
    const svg = part("plot");
    svg.setAttribute("aria-label", `${trials.length} trials; best score ${part("best").textContent} by ${part("recipe").textContent}`);
    svg.replaceChildren(...plot(trials, state));
    drawLegend(trials);
    state.trials = trials;
  }

  function drawLegend(trials) {
    const names = [...new Set(trials.map((trial) => trial.recipe))];
    part("legend").replaceChildren(
      ...names.map((name) => {
        const item = node("li", {}, label(name));
        item.style.setProperty("--dot", colour(state.data.recipes, name));
        return item;
      }),
    );
  }

  function drawLog(events) {
    const lines = events.filter((event) => event.kind !== "tick" && event.data?.message).slice(-LOG_LINES);
    part("log").textContent = lines.map((event) => `${event.at.slice(11, 19)}  ${event.data.message}`).join("\n");
  }

  const label = (name) => state.data.recipes[name] ?? String(name ?? "");

  function point(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, End: Number.POSITIVE_INFINITY, Home: Number.NEGATIVE_INFINITY }[event.key];
    if (!step || !state.trials?.length) return;
    event.preventDefault();
    const from = state.pick < 0 ? state.trials.length - (step > 0 ? 2 : 0) : state.pick;
    state.pick = Math.min(state.trials.length - 1, Math.max(0, from + step));
    tip(state.pick);
  }

  function tip(index) {
    const trial = state.trials[index];
    part("tip").textContent = `Trial ${trial.trial}: ${label(trial.recipe)} ${trial.score.toPrecision(5)}`;
    for (const dot of part("plot").querySelectorAll("circle")) dot.classList.toggle("picked", dot.dataset.index === String(index));
  }

  part("plot").addEventListener("keydown", point);
  part("plot").addEventListener("pointerover", ({ target }) => {
    if (target.dataset?.index) tip(Number(target.dataset.index));
  });
  const clock = setInterval(() => (root.host?.isConnected === false ? leave() : drawClock()), 1000);

  function leave() {
    // Called when the view goes, and by some versions before each update: only what is not taken up again has ended.
    state.left = true;
    setTimeout(() => {
      if (!state.left) return;
      stop();
      clearInterval(clock);
      views.delete(root);
    }, 0);
  }

  return { update, leave };
}

function plot(trials, state) {
  const [low, high] = span(trials);
  const pad = (high - low || Math.abs(high) || 1) * 0.08;
  const x = (index) => EDGE.left + ((index + 0.5) / trials.length) * (WIDTH - EDGE.left - EDGE.right);
  const inside = (score) => Math.min(high + pad, Math.max(low - pad, score));
  const y = (score) => EDGE.top + (1 - (inside(score) - low + pad) / (high - low + 2 * pad)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const lines = [0, 0.5, 1].map((share) => low + share * (high - low)).flatMap((score) => [
    drawn("line", { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y(score), y2: y(score), class: "grid" }),
    drawn("text", { x: EDGE.left - 8, y: y(score) + 4, "text-anchor": "end" }, score.toPrecision(3)),
  ]);
  const stairs = trials.map((trial, index) => `${index ? `H${x(index)}V` : `M${x(0)},`}${y(trial.best)}`).join("");
  const dots = trials.map((trial, index) => {
    const dot = drawn("circle", { cx: x(index), cy: y(trial.score), r: 4.5, "data-index": index });
    dot.style.fill = colour(state.data.recipes, trial.recipe);
    if (index === state.pick) dot.classList.add("picked");
    if (inside(trial.score) !== trial.score) dot.classList.add("beyond");
    return dot;
  });
  const ends = [
    drawn("text", { x: x(0), y: HEIGHT - 6, "text-anchor": "middle" }, String(trials[0].trial)),
    drawn("text", { x: x(trials.length - 1), y: HEIGHT - 6, "text-anchor": "middle" }, String(trials.at(-1).trial)),
  ];
  return [...lines, drawn("path", { d: stairs, class: "best" }), ...dots, ...(trials.length > 1 ? ends : ends.slice(1))];
}

/** The scores that tell recipes apart: the baseline and a few hopeless trials would press all others into one line. */
function span(trials) {
  const told = trials.filter((trial) => trial.recipe !== "baseline");
  const scores = (told.length ? told : trials).map((trial) => trial.score).sort((a, b) => a - b);
  const best = trials.at(-1).best;
  const isLower = best <= scores[0];
  const cut = Math.round((scores.length - 1) * (isLower ? 0.9 : 0.1));
  return isLower ? [Math.min(best, scores[0]), scores[cut]] : [scores[cut], Math.max(best, scores.at(-1))];
}

function colour(recipes, name) {
  const place = Object.keys(recipes).indexOf(name);
  return `var(--recipe-${(place < 0 ? 5 : place) % 6})`;
}

function drawn(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = text;
  return made;
}

function node(name, attributes, text) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = text;
  return made;
}

function seconds(count) {
  const whole = Math.round(count);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
