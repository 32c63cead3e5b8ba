import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { ReleaseId } from "../std.ts";
import { armOf, isInShare, subjectHash } from "./subjects.ts";

const key = Buffer.alloc(32, 7);
const asReleaseId = (text: string) => `rel:${createHash("sha256").update(text).digest("hex")}` as ReleaseId;
const [one, other] = [asReleaseId("one"), asReleaseId("other")];
const people = Array.from({ length: 20_000 }, (_, i) => subjectHash(key)(`person-${i}`));

test("a pseudonym is the HMAC of the id, however the id was typed", () => {
  const hash = subjectHash(key);
  expect(hash("Zoë")).toBe(createHmac("sha256", key).update("Zoë".normalize("NFKC")).digest("hex"));
  expect(hash(" Zoe\u0308 ")).toBe(hash("Zoë"));
  expect(subjectHash(Buffer.alloc(32, 8))("Zoë")).not.toBe(hash("Zoë"));
  for (const bytes of [8, 65]) expect(() => subjectHash(Buffer.alloc(bytes))).toThrow(RangeError);
});

test("Node's HMAC gives the same of every key and every text", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 64 }), fc.array(fc.string({ unit: "binary", maxLength: 300 })), (secret, ids) => {
      const hash = subjectHash(secret);
      for (const id of ids) expect(hash(id)).toBe(createHmac("sha256", secret).update(id.normalize("NFKC").trim()).digest("hex"));
    }),
  );
});

test.each([0.01, 0.1, 0.5, 0.99])("a canary of %d gets that share of people, within what chance allows", (share) => {
  const observed = people.filter((person) => isInShare(person, one, share)).length;
  const deviation = Math.sqrt(people.length * share * (1 - share));
  expect(Math.abs(observed - people.length * share)).toBeLessThan(4 * deviation);
});

test("whoever is in stays in while the share grows; nobody is in at 0, everybody at 1", () => {
  for (const person of people.slice(0, 500)) {
    const shares = [0, 0.05, 0.2, 0.7, 1].map((share) => isInShare(person, one, share));
    expect(shares).toEqual(shares.toSorted((a, b) => Number(a) - Number(b)));
    expect([shares.at(0), shares.at(-1)]).toEqual([false, true]);
  }
});

test("another canary draws other people", () => {
  const first = people.filter((person) => isInShare(person, one, 0.1));
  const both = first.filter((person) => isInShare(person, other, 0.1)).length;
  expect(both / first.length).toBeGreaterThan(0.05);
  expect(both / first.length).toBeLessThan(0.15);
});

const anyHash = fc.string({ unit: fc.constantFrom(..."0123456789abcdef".split("")), minLength: 12, maxLength: 64 });

test("while the share grows in any steps from 0 to 1 everybody moves exactly once, and never back", () => {
  const steps = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 });
  fc.assert(
    fc.property(anyHash, fc.constantFrom(one, other), steps, (hash, release, between) => {
      const shares = [0, ...between.toSorted((a, b) => a - b), 1];
      const sides = shares.map((share) => isInShare(hash, release, share));
      expect(sides.filter((side, i) => i > 0 && side !== sides[i - 1])).toEqual([true]);
    }),
    { numRuns: 2000 },
  );
});

test("in every step of a share from 0 to 1 as many are in as chance allows, and those who were in before", () => {
  let before = new Set<string>();
  for (let percent = 1; percent < 100; percent++) {
    const share = percent / 100;
    const within = new Set(people.filter((person) => isInShare(person, one, share)));
    expect(Math.abs(within.size - people.length * share)).toBeLessThan(4.5 * Math.sqrt(people.length * share * (1 - share)));
    expect([...before].filter((person) => !within.has(person))).toEqual([]);
    before = within;
  }
});

test("the arms of an A/B test get people by their weights, the same ones each time, others than a canary of one of them", () => {
  const arms = [
    { release: one, weight: 1 },
    { release: other, weight: 3 },
    { release: asReleaseId("third"), weight: 4 },
  ];
  const counts = [0, 0, 0];
  for (const person of people) {
    const arm = armOf(person, arms);
    expect(armOf(person, arms)).toBe(arm);
    counts[arm] = (counts[arm] ?? 0) + 1;
  }
  for (const [i, { weight }] of arms.entries()) {
    const share = weight / 8;
    expect(Math.abs((counts[i] ?? 0) - people.length * share)).toBeLessThan(4 * Math.sqrt(people.length * share * (1 - share)));
  }
  const ofOne = people.filter((person) => armOf(person, arms) === 0);
  const canaried = ofOne.filter((person) => isInShare(person, one, 0.125)).length;
  expect(canaried / ofOne.length).toBeLessThan(0.2);
});
