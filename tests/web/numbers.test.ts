import { describe, expect, it } from "vitest";
import {
  formatAge,
  formatBytes,
  formatNumber,
  formatPercent,
  inputText,
  parseNumber,
  plural,
} from "../../web/src/numbers";

describe("parseNumber", () => {
  it.each([
    ["12", 12],
    [" -3.5 ", -3.5],
    ["\u22123.5", -3.5],
    ["1e3", 1000],
    [".5", 0.5],
    ["007", 7],
    ["12,5", 12.5],
    ["0,125", 0.125],
    ["1,234.5", 1234.5],
    ["1.234,5", 1234.5],
    ["1,234,567", 1234567],
    ["1 234,5", 1234.5],
    ["1'234.5", 1234.5],
    ["1234,567", 1234.567],
  ])("reads %j as %d in either notation", (text, value) => {
    expect(parseNumber(text)).toEqual({ value });
  });

  it.each(["", "  ", "NA", "n/a", "NaN", "null", "?"])("reads %j as unknown, as training does", (text) => {
    expect(parseNumber(text)).toEqual({ value: null });
  });

  it("refuses what could mean two numbers, and names both", () => {
    expect(parseNumber("1,234")).toEqual({ error: "Write 1234 or 1.234: 1,234 could mean either." });
  });

  it("takes 1,234 as a thousand where only whole numbers are taken", () => {
    expect(parseNumber("1,234", true)).toEqual({ value: 1234 });
    expect(parseNumber("12,5", true)).toEqual({ error: "This column holds whole numbers." });
  });

  it.each(["abc", "12 mm", "1,2,3", "1.2.3", "5%", "--1", "1e", "Infinity"])("refuses %j in words", (text) => {
    expect(parseNumber(text)).toEqual({ error: `“${text}” is not a number.` });
  });

  it("refuses a number that no computer holds", () => {
    expect(parseNumber("1e999")).toEqual({ error: "“1e999” is too large." });
  });
});

describe("formatting", () => {
  it("shows a float32 as it was written", () => {
    expect(inputText(Math.fround(43.9))).toBe("43.9");
    expect(inputText(4050)).toBe("4050");
  });

  it.each([
    [2008, "2008"],
    [48531.4, "48,531"],
    [0.12345, "0.1235"],
    [0, "0"],
    [4.1e-7, "4.1e-7"],
    [1e-5, "1e-5"],
    [-2421.3, "-2421"],
  ])("writes %d as %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it("never rounds a probability to certainty or impossibility", () => {
    expect(formatPercent(0.9999)).toBe(">99.9%");
    expect(formatPercent(0.0001)).toBe("<0.1%");
    expect(formatPercent(1)).toBe("100.0%");
    expect(formatPercent(0.5)).toBe("50.0%");
  });

  it("counts and measures in words", () => {
    expect(plural(1, "row")).toBe("1 row");
    expect(plural(4310, "row")).toBe("4,310 rows");
    expect(plural(2, "class", "classes")).toBe("2 classes");
    expect(formatBytes(1806)).toBe("1.8 kB");
    const now = Date.parse("2026-11-01T12:00:00Z");
    expect(formatAge("2026-11-01T09:00:00Z", now)).toBe("3 hours ago");
    expect(formatAge("2026-11-01T11:59:50Z", now)).toBe("just now");
  });
});
