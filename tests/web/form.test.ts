// @vitest-environment jsdom
import { expect, it, vi } from "vitest";
import { Problem } from "../../web/src/problem";
import { createForm } from "../../web/src/ui/form.svelte";

function submitOf(form: HTMLFormElement, submit: (event: SubmitEvent) => Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    form.addEventListener("submit", (event) => void submit(event as SubmitEvent).then(resolve), { once: true });
    form.dispatchEvent(new Event("submit", { cancelable: true }));
  });
}

function refuse(...pointers: string[]): () => Promise<void> {
  const errors = pointers.map((pointer) => ({ pointer, detail: `wrong at ${pointer}` }));
  return () => Promise.reject(new Problem("It does not fit", { status: 422, code: "request_invalid", errors }));
}

it("shows what the server points at beside its field, and not twice", async () => {
  const form = createForm(["#/name", "#/scopes"], refuse("#/name", "#/scopes/1"));
  await submitOf(document.createElement("form"), form.submit);

  expect(form.fault("#/name")).toBe("wrong at #/name");
  expect(form.fault("#/scopes")).toBe("wrong at #/scopes/1");
  expect(form.remark).toBeNull();
  expect(form.busy).toBe(false);
});

it("says the whole where a pointer belongs to none of the fields", async () => {
  const form = createForm(["#/name"], refuse("#/name", "#/named_otherwise"));
  await submitOf(document.createElement("form"), form.submit);

  expect(form.remark).toBe("It does not fit");
});

it("is not sent again while it is on its way, and forgets the last failure when it is", async () => {
  let arrive = () => {};
  const send = vi.fn().mockImplementationOnce(refuse("#/name"));
  send.mockImplementation(() => new Promise<void>((resolve) => (arrive = resolve)));
  const element = document.createElement("form");
  const form = createForm(["#/name"], send);
  await submitOf(element, form.submit);

  const sent = submitOf(element, form.submit);
  expect(form.busy).toBe(true);
  expect(form.fault("#/name")).toBeUndefined();
  await submitOf(element, form.submit);
  arrive();
  await sent;

  expect(send).toHaveBeenCalledTimes(2);
});

it("turns whatever is thrown into words", async () => {
  const form = createForm([], () => Promise.reject(new TypeError("broken")));
  await submitOf(document.createElement("form"), form.submit);

  expect(form.remark).toContain("broken");
});
