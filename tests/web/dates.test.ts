// What is expected here is what `models/dates.py` answers.
import { describe, expect, it } from "vitest";
import { dateInput, dateText, dayNumber } from "../../web/src/dates";
import {
  defaultRow,
  exampleRow,
  fromQuery,
  numberOf,
  randomRow,
  remarkOn,
  snap,
  spellAt,
  stepOf,
  toQuery,
  valueAt,
} from "../../web/src/inputs";
import { Problem } from "../../web/src/problem";
import { card, date } from "./cards";

describe("texts of dates", () => {
  it.each([
    ["1970-01-01", null, 0],
    ["1970-01-02 06:00", null, 1.25],
    ["1969-12-31", null, -1],
    ["2024/5/1", null, 19844],
    [" 2024-05-01T12:00:00Z ", null, 19844.5],
    ["2024-05-01T01:00:00+02:00", null, 19843.958333333332],
    ["2024-05-01 12:00:00.000+00", null, 19844.5],
    ["2024-05-01t12:00-0030", null, 19844.520833333332],
    ["2024-02-29 10:30:15.25", null, 19782.43767650463],
    ["01.05.2024", null, 19844],
    ["1.5.2024 12:00", "month_first", 19844.5],
    ["1/5/2024", "day_first", 19844],
    ["5/1/2024", "month_first", 19844],
    ["05-01-2024", "month_first", 19844],
    ["2024-05-01T23:59:59", null, 19844.99609375],
    ["0001-01-01", null, -719162],
    ["0050-03-01", null, -701206],
    ["9999-12-31", null, 2932896],
  ] as const)("reads %j, written %s, as %d", (text, written, number) => {
    expect(dayNumber(text, written)).toBe(number);
  });

  it.each([
    ...["", "2024", "20240501", "2024-13-01", "2023-02-29", "0000-01-01", "1/5/2024", "01-05-2024", "1.5.24"],
    ...["2024-05-01 25:00", "2024-05-01 10:61", "2024-05/01", "2024-05-01Tnoon", "today", "٢٠٢٤-05-01", "19844"],
    `2024-05-01${" ".repeat(60)}10:00`,
  ])("refuses %j, which is no certain date", (text) => {
    expect(dayNumber(text)).toBeNull();
  });

  it.each([
    [0, "1970-01-01"],
    [19844, "2024-05-01"],
    [19844.5, "2024-05-01T12:00"],
    [-719162, "0001-01-01"],
    [1e9, "9999-12-31"],
    [19844.041015625, "2024-05-01T00:59"],
    [-0.25, "1969-12-31T18:00"],
    [19844.99609375, "2024-05-01T23:54"],
    [10.123456001281738, "1970-01-11T02:57:46.598511"],
    [1.2299999980314169e-5, "1970-01-01T00:00:01.062720"],
  ])("writes %d as %s", (number, text) => {
    expect(dateText(number)).toBe(text);
  });
});

describe("dates for the model on the device", () => {
  const ordered = date("ordered/on", { written: "day_first" });

  it("are day numbers, and unknown where there is none", () => {
    expect(dateInput(ordered, "31/12/2024", 0)).toBe(20088);
    expect(dateInput(ordered, 19844.5, 0)).toBe(19844.5);
    expect(dateInput(ordered, null, 0)).toBeNaN();
    expect(dateInput(ordered, " n/a ", 0)).toBeNaN();
  });

  it.each(["soon", "12/31/2024", true, 1.7e9, Number.NaN])("refuse %s and say in which column it stands", (value) => {
    const refused = (() => {
      try {
        return dateInput(ordered, value, 3);
      } catch (error) {
        return error;
      }
    })();
    expect(refused).toBeInstanceOf(Problem);
    expect((refused as Problem).errors[0]?.pointer).toBe("#/rows/3/ordered~1on");
    expect((refused as Problem).message).toContain("expected a date such as 2024-05-31");
  });
});

describe("rows with dates", () => {
  const dated = card({ features: [date("on"), date("from", { written: "month_first" })], examples: [] });

  it("hold them as texts, from the card, from examples and at random", () => {
    expect(defaultRow(dated)).toEqual({ on: "2024-05-01", from: "2024-05-01" });
    expect(exampleRow(dated, { on: "2024/3/1" })).toEqual({ on: "2024-03-01", from: null });
    for (let index = 0; index < 50; index += 1) {
      const { on } = randomRow(dated);
      if (on !== null) expect(on).toMatch(/^2024-\d\d-\d\d$/);
    }
  });

  it("go into an address and come back, and are read as the column writes them", () => {
    const row = { on: "2024-05-01T10:30", from: null };
    expect(fromQuery(dated, `?${toQuery(dated, row)}`)).toEqual(row);
    expect(fromQuery(dated, "?from=12/31/2023&on=1/5/2024")).toEqual({ on: "2024-05-01", from: "2023-12-31" });
  });

  it("are remarked on outside the dates of training", () => {
    expect(remarkOn(date("on"), "2024-12-31")).toBeNull();
    expect(remarkOn(date("on"), "2025-01-01")).toBe("Outside the training range, 2024-01-01 to 2024-12-31.");
  });

  it("move by days, or by hours where training knew the time", () => {
    const moment = date("at", { quantiles: [0, 0.25, 1, 2, 3, 4, 5], minimum: 0, maximum: 5 });
    expect(stepOf(date("on"))).toBe(1);
    expect(snap(date("on"), 19844.4)).toBe(19844);
    expect(valueAt(moment, snap(moment, 1.26))).toBe("1970-01-02T06:00");
    expect(numberOf(moment, "1970-01-02T06:00")).toBe(1.25);
    expect(spellAt(date("on"), 19844)).toBe("2024-05-01");
  });
});
