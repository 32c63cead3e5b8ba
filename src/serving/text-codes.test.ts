import { expect, test } from "vitest";
import { ScorerError } from "./scorer.ts";
import { TextCodes } from "./text-codes.ts";
import { decodeTexts, encodeTexts } from "./text-frames.ts";

test("texts come back from rows in another process", () => {
  const columns = new Map([
    [0, new TextCodes(["car", "house"])],
    [2, new TextCodes()],
  ]);
  const odd = "“quoted”\n\u0000 and \ud83d\ude00";
  const code = (column: number, text: string) => columns.get(column)?.codeOf(text) ?? Number.NaN;
  const rows = Float32Array.of(code(0, "house"), 1, code(2, odd), code(0, "boat"), 2, Number.NaN);
  const textOf = decodeTexts(encodeTexts(rows, 3, columns));
  expect([textOf(0, rows[0] ?? 0), textOf(2, rows[2] ?? 0), textOf(0, rows[3] ?? 0), textOf(2, Number.NaN)]).toEqual([
    "house",
    odd,
    "boat",
    "",
  ]);
});

test("memory is bounded by two generations; a code that is given up never means another text, and declared ones stay", () => {
  const codes = new TextCodes(["declared"]);
  const first = codes.codeOf("first");
  for (let i = 0; i < 16_384; i++) codes.codeOf(`text ${i}`);
  expect(codes.textOf(first)).toBe("first");
  for (let i = 0; i < 40_000; i++) codes.codeOf(`another ${i}`);
  expect(() => codes.textOf(first)).toThrow(ScorerError);
  expect(codes.textOf(codes.codeOf("first"))).toBe("first");
  expect(codes.textOf(codes.codeOf("declared"))).toBe("declared");
  expect(codes.codeOf("declared")).toBe(1);
});
