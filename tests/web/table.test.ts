import { describe, expect, it } from "vitest";
import {
  agreement,
  decode,
  faultsByRow,
  type Outcome,
  readTable,
  sampleCsv,
  TableRefused,
  toCsv,
  toRow,
} from "../../web/src/details/table";
import { card, category, feature } from "./cards";

const ADELIE: Outcome = {
  prediction: { label: "Adelie", probabilities: { Adelie: 0.9, Chinstrap: 0.1, Gentoo: 0 } },
  fault: null,
};

describe("reading a CSV", () => {
  it("keeps the cells, names what is not read, and sends only the model's columns", () => {
    const table = readTable("island,note,bill_length_mm\nDream,hello,39.1\n Biscoe ,,\n", card());

    expect(table.unread).toEqual(["note"]);
    expect(table.lacking).toEqual(["year", "is_adult"]);
    expect(toRow(table, 0, card())).toEqual({ bill_length_mm: "39.1", year: null, island: "Dream", is_adult: null });
    expect(toRow(table, 1, card())).toEqual({ bill_length_mm: null, year: null, island: "Biscoe", is_adult: null });
  });

  it("reads decimal commas where semicolons separate, in numbers only", () => {
    const table = readTable("island;bill_length_mm\n1,5;39,1\n", card());
    expect(table.rows).toEqual([["1,5", "39.1"]]);
  });

  it("reads tabs, quotes, a byte order mark and any line end", () => {
    const table = readTable('\uFEFFisland\tbill_length_mm\r\n"Dream ""East"""\t39.1\r\n\r\n', card());
    expect(table.rows).toEqual([['Dream "East"', "39.1"]]);
  });

  it.each([
    ["", "The file holds no rows below its header."],
    ["island,year\n", "The file holds no rows below its header."],
    ["island,island\nDream,Dream\n", "The column “island” appears twice."],
    ["island,year\nDream\n", "Row 1 has 1 cells, but the header names 2 columns."],
    ["colour,size\nred,1\n", /^No column of the file is known to the model, which reads bill_length_mm, year/],
    ['island,year\n"Dream,2007\nBiscoe,2008\n', /^A quote is not closed properly near row/],
  ])("refuses %j with one line that says what to change", (text, message) => {
    expect(() => readTable(text, card())).toThrowError(TableRefused);
    expect(() => readTable(text, card())).toThrowError(message);
  });

  it("names the required columns that are missing", () => {
    const strict = card({ features: [feature(), category("island", ["Dream"], { required: true })] });
    expect(() => readTable("bill_length_mm\n39.1\n", strict)).toThrowError("The file lacks island.");
  });

  it("decodes UTF-8, falls back to what older spreadsheets write, and refuses what is no text", () => {
    expect(decode(new TextEncoder().encode("Ile d'Été").buffer)).toBe("Ile d'Été");
    expect(decode(new Uint8Array([0xc9, 0x74, 0xe9]).buffer)).toBe("Été");
    expect(() => decode(new Uint8Array([0x50, 0x4b, 0x00]).buffer)).toThrowError(TableRefused);
  });
});

describe("writing the predictions", () => {
  it("puts them beside the cells, with each class's probability", () => {
    const table = readTable("island,bill_length_mm\nDream,39.1\n", card());
    expect(toCsv(table, [ADELIE], card())).toBe(
      "island,bill_length_mm,prediction,probability_Adelie,probability_Chinstrap,probability_Gentoo\r\n" +
        "Dream,39.1,Adelie,0.9,0.1,0",
    );
  });

  it("says for each row that failed why it did", () => {
    const table = readTable("island,bill_length_mm\nDream,x\n", card());
    const [header, row] = toCsv(table, [{ prediction: null, fault: "bill_length_mm: no number" }], card()).split(
      "\r\n",
    );
    expect(header?.endsWith(",error")).toBe(true);
    expect(row).toBe("Dream,x,,,,,bill_length_mm: no number");
  });

  it("writes a value with its interval", () => {
    const price = card({ task: "regression", target: "price", classes: [] });
    const table = readTable("island,bill_length_mm\nDream,1\n", price);
    const outcome = { prediction: { value: 10, interval: { low: 8, high: 12, coverage: 0.9 } }, fault: null };
    expect(toCsv(table, [outcome], price)).toBe(
      "island,bill_length_mm,prediction,prediction_low,prediction_high\r\nDream,1,10,8,12",
    );
  });

  it("does not let a cell become a formula in a spreadsheet", () => {
    const table = readTable("island,bill_length_mm\n=1+1,-2\n", card());
    expect(toCsv(table, [ADELIE], card()).split("\r\n")[1]).toMatch(/^"'=1\+1",-2,/);

    const examples = [{ island: "-1+cmd|' /C calc'!A0", bill_length_mm: -1.5e-7 }];
    const [, line] = sampleCsv(card({ examples })).split("\r\n");
    expect(line).toBe(`-1.5e-7,,"'-1+cmd|' /C calc'!A0",`);
  });

  it("offers the card's own rows as a sample that it can read back", () => {
    expect(readTable(sampleCsv(card()), card()).rows).toHaveLength(1);
  });
});

describe("judging the predictions", () => {
  it("counts agreement with the file's own labels", () => {
    const table = readTable("island,species\nDream,Adelie\nDream,Gentoo\nDream,\n", card());
    expect(agreement(table, [ADELIE, ADELIE, ADELIE], card())).toBe("50.0% agree with the file's own species");
  });

  it("averages the error where numbers are predicted, and is silent without a target column", () => {
    const price = card({ task: "regression", target: "price", classes: [] });
    const outcome = { prediction: { value: 10 }, fault: null };
    expect(agreement(readTable("island,price\nDream,8\n", price), [outcome], price)).toMatch(/^2\.000 off/);
    expect(agreement(readTable("island\nDream\n", price), [outcome], price)).toBeNull();
  });

  it("finds faults by row", () => {
    const faults = faultsByRow([
      { pointer: "#/rows/3/age", detail: "no number" },
      { pointer: "#/rows/3/sex", detail: "no text" },
      { pointer: "#/rows/0", detail: "empty" },
    ]);
    expect([...faults]).toEqual([
      [3, "age: no number; sex: no text"],
      [0, "empty"],
    ]);
  });
});
