import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { startLive } from "../../web/src/live";

interface Sent {
  input: number;
  signal: AbortSignal;
  answer: (value: string) => void;
  fail: (error: Error) => void;
}

let sent: Sent[];
let answers: string[];
let errors: string[];

function start() {
  return startLive<number, string>({
    send: (input, signal) =>
      new Promise((answer, fail) => {
        sent.push({ input, signal, answer, fail });
      }),
    onAnswer: (answer) => answers.push(answer),
    onError: (error) => errors.push(String(error)),
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  answers = [];
  errors = [];
});

afterEach(() => {
  vi.useRealTimers();
});

it("asks at once, and then once for the newest of what changed meanwhile", async () => {
  const live = start();
  live.ask(1);
  await vi.advanceTimersByTimeAsync(0);
  expect(sent.map(({ input }) => input)).toEqual([1]);

  live.ask(2);
  live.ask(3);
  live.ask(4);
  await vi.advanceTimersByTimeAsync(50);
  expect(sent).toHaveLength(1);
  sent[0]?.answer("one");
  await vi.advanceTimersByTimeAsync(50);

  expect(answers).toEqual(["one"]);
  expect(sent.map(({ input }) => input)).toEqual([1, 4]);
});

it("stays below 30 requests a second while a slider is dragged, and answers the last state within 50 ms", async () => {
  const live = start();
  for (let step = 0; step < 100; step += 1) {
    live.ask(step);
    await vi.advanceTimersByTimeAsync(10);
    sent.at(-1)?.answer(`answer ${step}`);
    await vi.advanceTimersByTimeAsync(0);
  }
  expect(sent.length).toBeLessThanOrEqual(31);

  await vi.advanceTimersByTimeAsync(50);

  expect(sent.at(-1)?.input).toBe(99);
});

it("gives up an overtaken request that is slow, and drops its answer", async () => {
  const live = start();
  live.ask(1);
  await vi.advanceTimersByTimeAsync(0);
  live.ask(2);
  await vi.advanceTimersByTimeAsync(700);

  expect(sent[0]?.signal.aborted).toBe(true);
  expect(sent[1]?.input).toBe(2);
  sent[0]?.answer("late");
  sent[1]?.answer("new");
  await vi.advanceTimersByTimeAsync(0);
  expect(answers).toEqual(["new"]);
});

it("reports a failure and goes on with the next input", async () => {
  const live = start();
  live.ask(1);
  await vi.advanceTimersByTimeAsync(0);
  sent[0]?.fail(new Error("down"));
  await vi.advanceTimersByTimeAsync(0);
  expect(errors).toEqual(["Error: down"]);

  live.ask(2);
  await vi.advanceTimersByTimeAsync(50);
  expect(sent[1]?.input).toBe(2);
});

it("drops everything when it is stopped", async () => {
  const live = start();
  live.ask(1);
  await vi.advanceTimersByTimeAsync(0);
  live.ask(2);
  live.stop();
  sent[0]?.answer("one");
  await vi.advanceTimersByTimeAsync(1000);

  expect(sent[0]?.signal.aborted).toBe(true);
  expect(sent).toHaveLength(1);
  expect(answers).toEqual([]);
});
