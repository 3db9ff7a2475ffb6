// @vitest-environment jsdom
import { fireEvent, render, screen } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { choicesOf } from "../../web/src/inputs";
import ChoiceField from "../../web/src/model/ChoiceField.svelte";
import DateField from "../../web/src/model/DateField.svelte";
import NumberField from "../../web/src/model/NumberField.svelte";
import type { Value } from "../../web/src/types";
import { boolean, date, feature, integer } from "./cards";

function renderNumber(changes = {}, value: Value = 44.4) {
  const onchange = vi.fn<(value: Value) => void>();
  const ontypo = vi.fn<(isTypo: boolean) => void>();
  const props = { feature: feature(changes), value, onchange, ontypo, note: null, epoch: 0 };
  const { rerender } = render(NumberField, props);
  const input = screen.getByRole<HTMLInputElement>("textbox", { name: "bill_length_mm" });
  return { onchange, ontypo, input, rerender: (next: object) => rerender({ ...props, ...next }) };
}

it("understands a decimal comma and keeps what is being typed as typed", async () => {
  const { input, onchange, rerender } = renderNumber();
  await userEvent.clear(input);
  await userEvent.type(input, "39,1");
  await rerender({ value: 39.1 });

  expect(onchange).toHaveBeenLastCalledWith(39.1);
  expect(input.value).toBe("39,1");
});

it("says why a text is refused, keeps the row as it was, and lets go when the row is replaced", async () => {
  const { input, onchange, ontypo, rerender } = renderNumber();
  await userEvent.type(input, "x");

  expect(screen.getByRole("alert").textContent).toContain("“44.4x” is not a number.");
  expect(input.getAttribute("aria-invalid")).toBe("true");
  expect(ontypo).toHaveBeenLastCalledWith(true);
  expect(onchange).not.toHaveBeenCalled();

  await rerender({ epoch: 1 });
  expect(input.value).toBe("44.4");
  expect(ontypo).toHaveBeenLastCalledWith(false);
});

it("moves by the column's own step with the arrow keys", async () => {
  const { input, onchange } = renderNumber();
  input.focus();
  await userEvent.keyboard("{ArrowUp}");
  expect(onchange).toHaveBeenLastCalledWith(44.5);
  await userEvent.keyboard("{Shift>}{ArrowDown}{/Shift}");
  expect(onchange).toHaveBeenLastCalledWith(43.4);
});

it("can be unknown and known again", async () => {
  const { onchange, rerender } = renderNumber();
  await userEvent.click(screen.getByRole("button", { name: "bill_length_mm is unknown" }));
  expect(onchange).toHaveBeenLastCalledWith(null);

  await rerender({ value: null });
  await userEvent.click(screen.getByRole("button", { name: "bill_length_mm is unknown" }));
  expect(onchange).toHaveBeenLastCalledWith(44.4);
});

it("shows no slider for a column that never changed", () => {
  renderNumber({ minimum: 5, maximum: 5 });
  expect(screen.queryByRole("slider")).toBeNull();
});

it("lays open a toggle with unknown as a third choice", async () => {
  const onchange = vi.fn<(value: Value) => void>();
  const choices = choicesOf(boolean("is_adult")) ?? [];
  render(ChoiceField, { name: "is_adult", choices, value: true, onchange, note: null });

  expect(screen.getByRole<HTMLInputElement>("radio", { name: "Yes" }).checked).toBe(true);
  await userEvent.click(screen.getByRole("radio", { name: "No" }));
  expect(onchange).toHaveBeenLastCalledWith(false);
  await userEvent.click(screen.getByRole("radio", { name: "Unknown" }));
  expect(onchange).toHaveBeenLastCalledWith(null);
});

it("keeps a value visible that a link brought and training never saw", () => {
  const choices = choicesOf(integer("doors", 3, 5, [1, ...Array<number>(18).fill(0), 1])) ?? [];
  render(ChoiceField, { name: "doors", choices, value: 4, onchange: () => {}, note: null });
  expect(screen.getByRole<HTMLInputElement>("radio", { name: "4" }).checked).toBe(true);
});

function renderDate(changes = {}, value: Value = "2024-05-01") {
  const onchange = vi.fn<(value: Value) => void>();
  const ontypo = vi.fn<(isTypo: boolean) => void>();
  render(DateField, { feature: date("on", changes), value, onchange, ontypo, note: null });
  return { onchange, ontypo, input: screen.getByLabelText<HTMLInputElement>("on") };
}

const paste = (input: HTMLInputElement, text: string) =>
  fireEvent.paste(input, { clipboardData: { getData: () => text } });

it("asks for a day, within those of training, and holds it as text", async () => {
  const { input, onchange } = renderDate();
  expect([input.type, input.value, input.min, input.max]).toEqual(["date", "2024-05-01", "2024-01-01", "2024-12-31"]);
  await fireEvent.input(input, { target: { value: "2024-06-02" } });
  expect(onchange).toHaveBeenLastCalledWith("2024-06-02");
  await fireEvent.input(screen.getByRole("slider"), { target: { value: "19850.2" } });
  expect(onchange).toHaveBeenLastCalledWith("2024-05-07");
  await fireEvent.input(input, { target: { value: "" } });
  expect(onchange).toHaveBeenLastCalledWith(null);
});

it("asks for the time too where training knew it", () => {
  const { input } = renderDate({ quantiles: [19723.5, 19760, 19800, 19844, 19900, 20000, 20088] });
  expect([input.type, input.value]).toEqual(["datetime-local", "2024-05-01T00:00"]);
});

it("reads a date that is pasted, and says why another text is none", async () => {
  const { input, onchange, ontypo } = renderDate({ written: "day_first" });
  await paste(input, " 31/12/2024 ");
  expect(onchange).toHaveBeenLastCalledWith("2024-12-31");
  await paste(input, "tomorrow");
  expect(screen.getByRole("alert").textContent).toContain("“tomorrow” is not a date");
  expect(ontypo).toHaveBeenLastCalledWith(true);
  expect(onchange).toHaveBeenCalledTimes(1);
});
