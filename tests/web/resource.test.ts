// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Problem } from "../../web/src/problem";
import { load, type Resource } from "../../web/src/resource.svelte";

let resource: Resource<string>;
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  resource.stop();
  vi.useRealTimers();
});

it("looks again at what still changes, over failures, and no longer than that", async () => {
  const busy = new Problem("Busy.", { status: 429, code: "too_many", retryAfterSeconds: 5 });
  const fetcher = vi.fn<() => Promise<string>>();
  fetcher.mockResolvedValueOnce("queued").mockRejectedValueOnce(busy).mockResolvedValueOnce("ready");
  resource = load(fetcher, null, (value) => (value === "queued" ? 1000 : null));

  await vi.advanceTimersByTimeAsync(1000);
  expect([resource.value, resource.problem]).toEqual(["queued", busy]);
  await vi.advanceTimersByTimeAsync(4999);
  expect(fetcher).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(60_000);

  expect([resource.value, resource.problem]).toEqual(["ready", null]);
  expect(fetcher).toHaveBeenCalledTimes(3);
});

it("does not look again once nobody looks", async () => {
  const fetcher = vi.fn(async () => "queued");
  resource = load(fetcher, null, () => 1000);
  await vi.advanceTimersByTimeAsync(0);

  resource.stop();
  await vi.advanceTimersByTimeAsync(10_000);

  expect(fetcher).toHaveBeenCalledTimes(1);
});
