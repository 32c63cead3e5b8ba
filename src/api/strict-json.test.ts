import fc from "fast-check";
import { expect, test } from "vitest";
import { parseStrictJson } from "./strict-json.ts";

const parse = (text: string | Uint8Array) => parseStrictJson(typeof text === "string" ? Buffer.from(text) : text);

test("any JSON value within the limits comes back as JSON.parse gives it, with its text", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const text = JSON.stringify(value);
      if (/"(__proto__|constructor|prototype)"/.test(text) || text.includes("\\u0000") || !text.isWellFormed() || /\\ud[89a-f]/.test(text))
        return;
      expect(parse(text)).toEqual({ ok: true, value: { text, value: JSON.parse(text) } });
    }),
  );
});

test.each([
  ["a repeated key", `{"a":1,"a":2}`, "twice"],
  ["a repeated key in disguise", `{"a":1,"\\u0061":2}`, "twice"],
  ["a prototype in disguise", `{"\\u005f_proto__":{"admin":true}}`, "reserved"],
  ["an infinity", `{"income":1e400}`, "too large"],
  ["NaN", `{"income":NaN}`, "JSON"],
  ["a NUL", `{"name":"a\\u0000b"}`, "NUL"],
  ["half a character", `{"name":"\\ud800"}`, "surrogate"],
  ["a byte-order mark", `\uFEFF{}`, "JSON"],
  ["depth of a million", "[".repeat(1_000_000), "nesting"],
  ["nothing", "", "JSON"],
])("%s is refused", (_name, text, why) => {
  const result = parse(text);
  expect(result.ok).toBe(false);
  if (!result.ok) expect(JSON.stringify(result.error)).toContain(why);
});

test("broken UTF-8 is refused, so that two people's ids can't fall together", () => {
  expect(parse(Uint8Array.of(0x22, 0xc3, 0x28, 0x22))).toMatchObject({ ok: false, error: { expected: "UTF-8 text" } });
});

test("the same key in two objects, or as a value, is fine", () => {
  expect(parse(`{"a":{"b":1},"c":{"b":2},"d":["b","b"],"e":"b"}`).ok).toBe(true);
});

test("what is too large, too long or escaped is found in every form in which a number or text can be written", () => {
  const digits = "9".repeat(400);
  for (const text of [`[${digits}]`, `[-${digits}.5]`, `{"a":1E400}`, `[1e+400]`, `{"a":[true,1e999]}`])
    expect([text, parse(text)]).toMatchObject([text, { ok: false, error: { expected: "a finite number" } }]);
  expect(parse(`["${"x".repeat(65_537)}"]`)).toMatchObject({ ok: false, error: { got: "65537" } });
  expect(parse(`["${"x".repeat(65_536)}", 1e3, 0.${digits}]`)).toMatchObject({ ok: true });
});
