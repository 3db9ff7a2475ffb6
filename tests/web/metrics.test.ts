import { expect, it } from "vitest";
import { trafficWords } from "../../web/src/metrics";

it("tells how a model is used, and how fast it answers where that is known", () => {
  expect(trafficWords({ requests: 2, rows: 3400, p50_ms: 0.82 })).toBe(
    "3,400 predictions in 30 days, half within 0.8 ms",
  );
  expect(trafficWords({ requests: 1, rows: 1, p50_ms: null })).toBe("1 prediction in 30 days");
});
