import { expect, test } from "vitest";
import { simulatedRuntime } from "../store/index.ts";
import { WARNING_BUDGET, breachVerdict } from "./breach-evidence.ts";

/** A day of requests, looked at after each tenth one. @returns after how many it was beyond its limit; null: never */
function day(random: () => number, share: number, limit: number, requests: number, tests: number): number | null {
  let k = 0;
  for (let n = 1; n <= requests; n++) {
    if (random() < share) k++;
    if (n % 10 === 0 && breachVerdict({ n, k }, limit, tests).word === "beyond") return n;
  }
  return null;
}
function randomOf(seed: number): () => number {
  const { random } = simulatedRuntime(seed, 0);
  return () => random.bytes(4).readUInt32LE() / 2 ** 32;
}

test("inputs that keep their limit are hardly ever warned of, however often one looks", () => {
  const random = randomOf(1);
  const days = 200;
  let warned = 0;
  for (let i = 0; i < days; i++) if (day(random, 0.05, 0.05, 400, 1) !== null) warned++;
  // At most 1 % of days are; of 200, more than 9 would happen once in two thousand times.
  expect(warned).toBeLessThanOrEqual(days * WARNING_BUDGET + 7);
});

test("a share that is well beyond its limit is warned of within some hundred requests, one at it isn't", () => {
  const random = randomOf(2);
  for (let i = 0; i < 20; i++) expect(day(random, 0.2, 0.01, 400, 25)).toBeLessThan(400);
  expect(breachVerdict({ n: 100, k: 1 }, 0.01, 1).word).toBe("ok");
});

test("few requests prove nothing, none are no data, and with a limit of 0 any breach is one", () => {
  expect(breachVerdict({ n: 3, k: 1 }, 0.01, 1).word).toBe("ok");
  expect(breachVerdict({ n: 0, k: 0 }, 0.01, 1).word).toBe("no-data");
  expect(breachVerdict({ n: 10_000, k: 1 }, 0, 1).word).toBe("beyond");
  expect(breachVerdict({ n: 10_000, k: 0 }, 0, 1).word).toBe("ok");
});
