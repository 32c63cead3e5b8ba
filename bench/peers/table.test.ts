import { expect, test } from "vitest";
import { compare, perCpuSecond, tablesOf, trialsOf, type Figures, type Place } from "./table.ts";
import type { ModelKind } from "./rows.ts";

function figures(server: string, model: ModelKind, place: Place, perSecond: number, of: Partial<Figures> = {}): Figures {
  return {
    kind: "measured",
    server,
    model,
    place,
    connections: 64,
    variant: "as it is",
    requests: perSecond,
    perSecond,
    p50Ms: 1,
    p99Ms: 2.345,
    cpuUs: 100,
    clientCpuUs: 10,
    failed: 0,
    startUpMs: 1234,
    processes: 3,
    pssBytes: 150e6,
    rssBytes: 200e6,
    logged: "no",
    largestDifference: 1e-7,
    ...of,
  };
}

test("Evenkeel is compared with the best of the others, model by model, on one core by requests and on all by processor time", () => {
  const rows = [
    figures("Evenkeel", "forest", "one core", 4200),
    figures("slow", "forest", "one core", 100),
    figures("fast", "forest", "one core", 200),
    // Idle connections and other places don't count.
    figures("fast", "forest", "one core", 9999, { connections: 1 }),
    figures("Evenkeel", "forest", "all cores", 1, { cpuUs: 100 }),
    figures("fast", "forest", "all cores", 9999, { cpuUs: 1500 }),
    figures("slow", "forest", "all cores", 9999, { cpuUs: null }),
    figures("Evenkeel", "logistic", "one core", 4000),
    figures("slow", "logistic", "one core", 2000),
  ];
  expect(compare(rows)).toEqual([
    { model: "logistic", how: "requests/s on one core", ratio: 2, target: 3, best: "slow" },
    { model: "forest", how: "requests/s on one core", ratio: 21, target: 20, best: "fast" },
    { model: "forest", how: "requests per CPU-second on all cores", ratio: 15, target: 20, best: "fast" },
  ]);
});

test("without another server, or without Evenkeel, nothing is compared", () => {
  expect(compare([figures("Evenkeel", "forest", "one core", 1)])).toEqual([]);
  expect(compare([figures("fast", "forest", "one core", 1)])).toEqual([]);
});

test("no processor time is no figure, rather than an infinite one", () => {
  expect(perCpuSecond({ cpuUs: 200 })).toBe(5000);
  expect(perCpuSecond({ cpuUs: null })).toBeNull();
  expect(perCpuSecond({ cpuUs: 0 })).toBeNull();
});

test("a table has a row for each server, and below it why others have none", () => {
  const text = tablesOf(
    [
      figures("Evenkeel", "forest", "one core", 16_900, { logged: "yes" }),
      figures("FastAPI", "forest", "one core", 180, { pssBytes: null }),
    ],
    [
      {
        kind: "missing",
        server: "MLServer",
        model: "forest",
        place: "one core",
        why: "ended with exit code 1: no such model",
        isFailure: true,
      },
      { kind: "missing", server: "BentoML", model: null, place: null, why: "there is no Python", isFailure: false },
    ],
  );
  expect(text.split("\n")).toEqual([
    "random forest, one core",
    "server    conn.  requests/s  p50 ms  p99 ms  per CPU-s  PSS MB  RSS MB  proc.  ready s  failed  logged",
    "Evenkeel     64      16,900    1.00    2.35     10,000     150     200      3      1.2       0  yes",
    "FastAPI      64         180    1.00    2.35     10,000       -     200      3      1.2       0  no",
    "MLServer: no figures: ended with exit code 1: no such model",
    "",
    "BentoML: no figures: there is no Python",
  ]);
});

test("what was tried is told with what was kept", () => {
  const trial = { server: "FastAPI", model: "forest", place: "one core" } as const;
  expect(
    trialsOf(
      [
        { ...trial, variant: "def", perSecond: 190.4, why: null },
        { ...trial, variant: "async def", perSecond: null, why: "2 requests failed" },
      ],
      [figures("FastAPI", "forest", "one core", 180, { variant: "def" })],
    ),
  ).toEqual(["FastAPI, random forest, one core: def (kept) 190/s, async def didn't run: 2 requests failed"]);
});
