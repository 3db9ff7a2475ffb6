// @vitest-environment jsdom
import { AuthApiError, AuthRetryableFetchError } from "@supabase/supabase-js";
import { expect, it, vi } from "vitest";
import { toProblem } from "../../web/src/account/problems";

it("points a refusal at the field that it is about", () => {
  const problem = toProblem(new AuthApiError("Invalid login credentials", 400, "invalid_credentials"));

  expect(problem.errors).toEqual([{ pointer: "#/password", detail: problem.message }]);
  expect(problem.message).toContain("do not belong together");
});

it("keeps the service's own words for what it has none for", () => {
  const problem = toProblem(new AuthApiError("Something new", 400, "brand_new"));

  expect(problem).toMatchObject({ message: "Something new", status: 400, code: "brand_new", errors: [] });
});

it("asks for patience when there were too many tries, however that is told", () => {
  expect(toProblem(new AuthApiError("slow down", 429, undefined)).message).toContain("Wait a minute");
  expect(toProblem(new AuthApiError("slow down", 429, "over_request_rate_limit")).message).toContain("Wait a minute");
});

it("tells a lost network from a service that is away", () => {
  expect(toProblem(new AuthRetryableFetchError("fetch failed", 0)).code).toBe("unreachable");
  vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
  expect(toProblem(new AuthRetryableFetchError("fetch failed", 0)).code).toBe("offline");
});
