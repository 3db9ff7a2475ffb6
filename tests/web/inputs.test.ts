import { describe, expect, it } from "vitest";
import {
  byInfluence,
  choicesOf,
  defaultRow,
  exampleRow,
  fromQuery,
  notesByFeature,
  quantileAt,
  randomRow,
  remarkOn,
  snap,
  stepOf,
  toQuery,
} from "../../web/src/inputs";
import { boolean, card, category, feature, integer } from "./cards";

describe("rows from a card", () => {
  it("starts from medians and most frequent values, without float noise", () => {
    expect(defaultRow(card())).toEqual({ bill_length_mm: 44.4, year: 2008, island: "Biscoe", is_adult: false });
  });

  it("completes an example: columns it lacks are unknown", () => {
    expect(exampleRow(card(), { bill_length_mm: Math.fround(39.1) })).toEqual({
      bill_length_mm: 39.1,
      year: null,
      island: null,
      is_adult: null,
    });
  });

  it("draws random rows from what training saw", () => {
    let draw = 0;
    const random = () => {
      draw = (draw + 0.377) % 1;
      return draw;
    };

    for (let index = 0; index < 200; index += 1) {
      const row = randomRow(card(), random);

      for (const each of card().features) {
        const value = row[each.name] ?? null;
        if (typeof value === "number") expect(remarkOn(each, value)).toBeNull();
        if (each.kind === "category") expect([...each.categories.map((known) => known.value), null]).toContain(value);
        if (each.kind === "integer" && value !== null) expect(Number.isInteger(value)).toBe(true);
      }
    }
  });

  it("reads quantiles between their levels by straight lines", () => {
    const quantiles = [0, 5, 25, 50, 75, 95, 100];
    expect(quantileAt(quantiles, 0.5)).toBe(50);
    expect(quantileAt(quantiles, 0.025)).toBe(2.5);
    expect(quantileAt(quantiles, 1)).toBe(100);
  });
});

describe("addresses", () => {
  it("holds every value and gives the same row back", () => {
    const row = { bill_length_mm: 39.1, year: null, island: "Ile d'Été & more", is_adult: true };
    expect(fromQuery(card(), `?${toQuery(card(), row)}`)).toEqual(row);
  });

  it("keeps defaults for what it does not name or cannot read", () => {
    expect(fromQuery(card(), "?island=Dream&year=20x7&is_adult=maybe")).toEqual({
      ...defaultRow(card()),
      island: "Dream",
    });
  });

  it("names no row when no column is named", () => {
    expect(fromQuery(card(), "?utm_source=mail")).toBeNull();
  });

  it("refuses half a penguin", () => {
    expect(fromQuery(card(), "?year=2007.5")?.year).toBe(2008);
  });
});

describe("steps", () => {
  it("are round and fine enough", () => {
    expect(stepOf(feature({ minimum: 0, maximum: 100 }))).toBe(0.5);
    expect(stepOf(feature({ minimum: 0, maximum: 1 }))).toBeCloseTo(0.005);
    expect(stepOf(feature({ minimum: 5, maximum: 5 }))).toBe(1);
    expect(stepOf(integer("mass", 2700, 6300, []))).toBe(10);
  });

  it("stay within the training range and without float noise", () => {
    expect(snap(feature(), 44.4321)).toBe(44.4);
    expect(snap(feature(), 1e9)).toBe(59.6);
    expect(snap(integer("mass", 2701, 6300, []), 2700)).toBe(2701);
  });
});

describe("choices", () => {
  it("lay open what takes few values", () => {
    expect(choicesOf(boolean("is_adult"))?.map((choice) => choice.share)).toEqual([0.25, 0.75]);
    expect(choicesOf(category("island", ["a", "b"]))?.map((choice) => choice.value)).toEqual(["a", "b"]);
    expect(choicesOf(category("city", [..."abcdefgh"]))).toBeNull();
    expect(choicesOf(feature())).toBeNull();
  });

  it("offer only the whole numbers that training saw", () => {
    const doors = integer("doors", 3, 5, [40, ...Array<number>(18).fill(0), 60]);
    expect(choicesOf(doors)).toEqual([
      { value: 3, label: "3", share: 0.4 },
      { value: 5, label: "5", share: 0.6 },
    ]);
  });
});

describe("remarks", () => {
  it("warn of what training never saw, and of nothing else", () => {
    expect(remarkOn(feature(), 44)).toBeNull();
    expect(remarkOn(feature(), 99)).toBe("Outside the training range, 32.1 to 59.6.");
    expect(remarkOn(feature(), null)).toBeNull();
    expect(remarkOn(feature({ missing_share: 0 }), null)).toBe("No training row lacked this value.");
    expect(remarkOn(category("island", ["Dream"]), "Atlantis")).toBe("“Atlantis” never occurred in training.");
  });

  it("stay silent about a category when the card lists only the most frequent ones", () => {
    expect(remarkOn(category("city", ["Rome"], { category_count: 5000 }), "Ulm")).toBeNull();
  });

  it("lets a category be any text where nobody has told its values", () => {
    const city = category("city", []);
    expect(choicesOf(city)).toBeNull();
    expect(remarkOn(city, "Ulm")).toBeNull();
  });

  it("are found by the pointer the server sends", () => {
    const notes = notesByFeature([
      { pointer: "#/rows/0/age", detail: "not a number" },
      { pointer: "#/rows/0/a~1b~0c", detail: "slash and tilde" },
      { pointer: "#/rows", detail: "about the whole" },
    ]);
    expect([...notes]).toEqual([
      ["age", "not a number"],
      ["a/b~c", "slash and tilde"],
    ]);
  });
});

it("puts the columns that count most first", () => {
  expect(byInfluence(card()).map((each) => each.name)).toEqual(["island", "bill_length_mm", "year", "is_adult"]);
});
