import { createHash, createHmac } from "node:crypto";
import { expect, test } from "vitest";
import type { ReleaseId } from "../std.ts";
import { isInCanary, subjectHash } from "./subjects.ts";

const key = Buffer.alloc(32, 7);
const asReleaseId = (text: string) => `rel:${createHash("sha256").update(text).digest("hex")}` as ReleaseId;
const [one, other] = [asReleaseId("one"), asReleaseId("other")];
const people = Array.from({ length: 20_000 }, (_, i) => subjectHash(key)(`person-${i}`));

test("a pseudonym is the HMAC of the id, however the id was typed", () => {
  const hash = subjectHash(key);
  expect(hash("Zoë")).toBe(createHmac("sha256", key).update("Zoë".normalize("NFKC")).digest("hex"));
  expect(hash(" Zoe\u0308 ")).toBe(hash("Zoë"));
  expect(subjectHash(Buffer.alloc(32, 8))("Zoë")).not.toBe(hash("Zoë"));
  expect(() => subjectHash(Buffer.alloc(8))).toThrow(RangeError);
});

test.each([0.01, 0.1, 0.5, 0.99])("a canary of %d gets that share of people, within what chance allows", (share) => {
  const observed = people.filter((person) => isInCanary(person, one, share)).length;
  const deviation = Math.sqrt(people.length * share * (1 - share));
  expect(Math.abs(observed - people.length * share)).toBeLessThan(4 * deviation);
});

test("whoever is in stays in while the share grows; nobody is in at 0, everybody at 1", () => {
  for (const person of people.slice(0, 500)) {
    const shares = [0, 0.05, 0.2, 0.7, 1].map((share) => isInCanary(person, one, share));
    expect(shares).toEqual(shares.toSorted((a, b) => Number(a) - Number(b)));
    expect([shares.at(0), shares.at(-1)]).toEqual([false, true]);
  }
});

test("another canary draws other people", () => {
  const first = people.filter((person) => isInCanary(person, one, 0.1));
  const both = first.filter((person) => isInCanary(person, other, 0.1)).length;
  expect(both / first.length).toBeGreaterThan(0.05);
  expect(both / first.length).toBeLessThan(0.15);
});
