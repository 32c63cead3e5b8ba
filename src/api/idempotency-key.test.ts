import { expect, test } from "vitest";
import { keyIn } from "./idempotency-key.ts";

test.each([
  ["I1", '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "8e03978e-40d5-43e8-bc93-6894a57f9324"],
  ["I2", "8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"],
  ["I3", '"a\\"b"', 'a"b'],
  ["I4", '"x";a=1', "x"],
  ["I5", '"ü"', undefined],
  ["I5", "", undefined],
  ["I5", '""', undefined],
  ["I5", "x".repeat(300), undefined],
  ["I5", `"${"x".repeat(300)}"`, undefined],
  ["an open quote", '"x', undefined],
])("%s: %s is the key %s", (_vector, header, key) => {
  expect(keyIn(header)).toBe(key);
});
