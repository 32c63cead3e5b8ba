import { expect, test } from "vitest";
import { decodeElements, encodeElements } from "./tensor-bytes.ts";

const hex = (text: string) => Buffer.from(text, "hex");

test.each([
  ["V1", "BOOL", [true, false, true], "010001"],
  ["V2", "UINT32", [1, 2, 3, 4], "01000000020000000300000004000000"],
  ["V4", "FP32", [1, Math.fround(1.1), -0.5], "0000803fcdcc8c3f000000bf"],
  ["V5", "FP64", [52000, 0.31], "000000000064e940d7a3703d0ad7d33f"],
  ["V6", "BYTES", ["high school", "", "Zürich"], "0b00000068696768207363686f6f6c00000000070000005ac3bc72696368"],
  ["V7", "INT16", [-2, 300], "feff2c01"],
  ["V8", "FP64", [null], "000000000000f87f"],
  ["V8", "FP32", [null], "0000c07f"],
] as const)("%s: %s is read from its bytes", (_vector, datatype, elements, bytes) => {
  expect(decodeElements(datatype, hex(bytes), elements.length)).toEqual({ ok: true, value: elements });
});

test("V3: an integer that would lose digits is refused, the one before it isn't", () => {
  expect(decodeElements("INT64", hex("ffffffffffffffff"), 1)).toEqual({ ok: true, value: [-1] });
  expect(decodeElements("INT64", hex("ffffffffffffffff0100000000002000"), 2)).toMatchObject({
    ok: false,
    error: expect.stringContaining("element 1"),
  });
});

test("what isn't the announced elements is refused with where it goes wrong", () => {
  expect(decodeElements("BOOL", hex("02"), 1)).toMatchObject({ ok: false, error: "element 0: must be 0 or 1" });
  expect(decodeElements("FP64", hex("0000"), 1)).toMatchObject({ ok: false });
  expect(decodeElements("BYTES", hex("05000000aa"), 1)).toMatchObject({ ok: false, error: "element 0: has 5 bytes, but 1 are left" });
  expect(decodeElements("BYTES", hex("01000000ff"), 1)).toMatchObject({ ok: false, error: "element 0: is not valid UTF-8" });
  expect(decodeElements("BYTES", hex("0000000000"), 1)).toMatchObject({ ok: false, error: "has 1 bytes after its last element" });
  expect(decodeElements("BYTES", hex(""), 0)).toEqual({ ok: true, value: [] });
});

test("answers are written as the vectors say, and read back as they were", () => {
  const texts = ["high school", "", "Zürich"];
  expect(encodeElements("BYTES", texts).toString("hex")).toBe("0b00000068696768207363686f6f6c00000000070000005ac3bc72696368");
  expect(encodeElements("FP64", [52000, 0.31]).toString("hex")).toBe("000000000064e940d7a3703d0ad7d33f");
  expect(encodeElements("FP64", [null]).toString("hex")).toBe("000000000000f87f");
  expect(decodeElements("INT64", encodeElements("INT64", [7, -1]), 2)).toEqual({ ok: true, value: [7, -1] });
});
