// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Problem } from "../../web/src/problem";
import type { Run, RunEvent, RunEvents } from "../../web/src/runs/calls";
import { ASK_EVERY_MS, type Following, followRun, type Link, type Means, SILENT_MS } from "../../web/src/runs/follow";
import { readEvents } from "../../web/src/runs/sse";

/** A run on a server: what happened in it so far, and what each way of asking answers. */
class Server {
  events: RunEvent[] = [];
  status: Run["status"] = "running";
  sockets: FakeSocket[] = [];
  hasSockets = true;
  hasStreams = true;
  list = vi.fn(async (_id: string, after: number): Promise<RunEvents> => {
    return { events: this.events.filter(({ seq }) => seq > after), run: { status: this.status } as Run };
  });
  stream = vi.fn(async (_id: string, after: number): Promise<ReadableStream<Uint8Array>> => {
    if (!this.hasStreams) throw new Problem("No.", { status: 502, code: "http_502" });
    return bodyOf(
      ...this.events
        .filter(({ seq }) => seq > after)
        .map((each) => `id: ${each.seq}\ndata: ${JSON.stringify(each)}\n\n`),
    );
  });

  happen(kind: string): RunEvent {
    const event = { seq: this.events.length + 1, at: "2026-11-28T10:00:00Z", kind, data: {} };
    this.events.push(event);
    return event;
  }
  open = (): WebSocket => {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    setTimeout(() => (this.hasSockets ? socket.onopen?.() : socket.end(1006)));
    return socket as unknown as WebSocket;
  };
  get last(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("nobody has connected");
    return socket;
  }
}

class FakeSocket {
  sent: { access_token: string; after: number }[] = [];
  isClosed = false;
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.isClosed = true;
  }
  say(message: unknown): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  end(code: number): void {
    this.onclose?.({ code });
  }
}

function bodyOf(...parts: string[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(encoder.encode(part));
      controller.close();
    },
  });
}

let server: Server;
let following: Following;
let heard: number[];
let links: Link[];
let problems: (string | null)[];

function follow(others: Partial<Means> = {}): void {
  following = followRun(
    "r1",
    {
      onEvents: (events) => heard.push(...events.map(({ seq }) => seq)),
      onRun: () => {},
      onLink: (link) => links.push(link),
      onProblem: (problem) => problems.push(problem?.message ?? null),
    },
    {
      list: server.list,
      stream: server.stream,
      open: server.open,
      token: async () => "t1",
      tokenInstead: async () => null,
      ...others,
    },
  );
}
const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  heard = [];
  links = [];
  problems = [];
});
afterEach(() => {
  following.stop();
  vi.useRealTimers();
});

it("hears what happened before, then what happens, each event once", async () => {
  server.happen("queued");
  follow();
  await pass(1);
  expect(server.last.sent).toEqual([{ access_token: "t1", after: 1 }]);

  server.last.say({ kind: "heartbeat" });
  server.last.say(server.happen("running"));
  server.last.say(server.events[1]);

  expect(heard).toEqual([1, 2]);
  expect(links.at(-1)).toBe("socket");
});

it("goes on behind the last event when the platform cuts the connection, and when it breaks", async () => {
  follow();
  await pass(1);
  server.last.say(server.happen("running"));
  server.happen("trial");
  server.last.end(1012);
  await pass(1000);
  expect(server.last.sent[0]?.after).toBe(2);

  server.last.say(server.happen("trial"));
  server.last.end(1006);
  await pass(1000);

  expect(server.sockets).toHaveLength(3);
  expect(server.last.sent[0]?.after).toBe(3);
  expect(heard).toEqual([1, 2, 3]);
  expect(problems.filter(Boolean)).toEqual([]);
});

it("hangs up on a connection that looks open and is dead, as after a sleep", async () => {
  follow();
  await pass(1);
  server.last.say(server.happen("running"));
  const dead = server.last;
  server.happen("trial");
  await pass(SILENT_MS + 1000);

  expect(dead.isClosed).toBe(true);
  expect(heard).toEqual([1, 2]);
  expect(server.last).not.toBe(dead);
});

it("listens to a stream where there are no sockets, and asks where there is neither", async () => {
  server.hasSockets = false;
  server.happen("running");
  follow();
  await pass(1500);
  expect(server.sockets).toHaveLength(2);
  expect(server.stream).toHaveBeenCalled();

  server.hasStreams = false;
  await pass(4000);
  expect(links).toContain("asking");
  const asked = server.list.mock.calls.length;
  server.happen("trial");
  await pass(ASK_EVERY_MS * 2);

  expect(server.list.mock.calls.length).toBeGreaterThan(asked);
  expect(heard).toEqual([1, 2]);
});

it("ends with the run, and asks nothing more", async () => {
  follow();
  await pass(1);
  server.last.say(server.happen("succeeded"));
  server.status = "succeeded";
  server.last.end(1000);
  await pass(1000);
  expect(links.at(-1)).toBe("over");

  const asked = server.list.mock.calls.length;
  await pass(60_000);
  expect(server.list.mock.calls.length).toBe(asked);
});

it("comes with another token when the first is refused", async () => {
  const tokenInstead = vi.fn(async () => "t2");
  follow({ tokenInstead });
  await pass(1);
  server.last.say({ status: 401, code: "token_expired", detail: "Expired." });
  server.last.end(1008);
  await pass(1000);

  expect(tokenInstead).toHaveBeenCalledExactlyOnceWith("t1");
  expect(server.sockets).toHaveLength(2);
  expect(problems.filter(Boolean)).toEqual([]);
});

it("gives up on a run that is not there, with the reason", async () => {
  server.list.mockRejectedValue(new Problem("There is no run r1.", { status: 404, code: "not_found" }));
  follow();
  await pass(60_000);

  expect(server.list).toHaveBeenCalledTimes(1);
  expect(problems).toEqual(["There is no run r1."]);
  expect(links.at(-1)).toBe("lost");
});

it("waits longer each time while nothing answers, says so, and tries at once when the network is back", async () => {
  server.list.mockRejectedValue(new Problem("The server cannot be reached.", { status: 0, code: "unreachable" }));
  follow();
  await pass(60_000);
  const asked = server.list.mock.calls.length;
  expect(asked).toBeLessThan(12);
  expect(links.at(-1)).toBe("lost");

  server.list.mockImplementation(async () => ({ events: [], run: { status: "running" } as Run }));
  dispatchEvent(new Event("online"));
  await pass(1);

  expect(server.list.mock.calls.length).toBe(asked + 1);
  expect(problems.at(-1)).toBeNull();
});

it("does not come back at once where it is sent away at once", async () => {
  server.hasSockets = false;
  server.happen("running");
  follow();
  await pass(20_000);

  expect(server.list.mock.calls.length).toBeLessThan(25);
});

it("reads server-sent events however they are cut, and signs of life between them", async () => {
  const body = bodyOf(
    "retry: 1000\n\nid: 1\nevent: trial\nda",
    'ta: {"seq":1}\r\n\r',
    "\n: still here\n\n",
    'data: {"seq":2}\n\n',
  );
  const events: (number | null)[] = [];
  for await (const event of readEvents(body)) events.push(event?.seq ?? null);

  expect(events).toEqual([null, 1, null, 2]);
});
