import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, describe, expect, test } from "vitest";
import { acknowledged } from "./acks.ts";
import { binomialBand } from "./binomial.ts";
import type { Outcome, Torment } from "./case.ts";
import { chance } from "./chance.ts";
import { inspect } from "./invariants.ts";
import { killAtStages } from "./kill-stages.ts";
import { killRandomly } from "./kills-under-load.ts";
import { mayBeLuck, reportOf, verdictOf, type Finished } from "./report.ts";
import { endLeftovers, prepareFolder } from "./server-process.ts";
import { missing } from "./tools.ts";
import { copyOf, openVictimWorld } from "./victim-world.ts";

const folders: string[] = [];
const folder = () => {
  const made = mkdtempSync(join(tmpdir(), "evenkeel-torture-"));
  folders.push(made);
  return made;
};
let prepared: ReturnType<Torment["prepared"]> | undefined;
const torment = (seed: number): Torment => ({
  seed,
  random: chance(seed),
  isShort: true,
  budgetMs: 60_000,
  folder,
  prepared: () =>
    (prepared ??= (async () => {
      const path = join(folder(), "prepared");
      return { folder: path, token: await prepareFolder(path) };
    })()),
  say: () => undefined,
});
afterAll(() => {
  endLeftovers();
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

const NOTHING_WRONG = { lost: 0, doubled: 0, wrong: 0, tallyOff: 0, failures: [] };

describe("what was acknowledged outlives kill -9", () => {
  test(
    "of the server at a random moment under load, with its route table, its tallies and its counts by bin",
    { timeout: 180_000 },
    async () => {
      const survived = await killRandomly(torment(11), 3);
      expect(survived).toMatchObject({ ...NOTHING_WRONG, injected: 3 });
      expect(survived.acked).toBeGreaterThan(0);
    },
  );

  const why = missing("strace");
  test.skipIf(why !== undefined)(
    `at system calls of a commit${why === undefined ? "" : ` (not run: ${why})`}`,
    { timeout: 180_000 },
    async () => {
      const survived = await killAtStages(torment(12), 5);
      expect(survived).toMatchObject({ ...NOTHING_WRONG, runs: 5 });
      expect(survived.injected).toBeGreaterThanOrEqual(3);
    },
  );
});

describe("what is looked at after a fault", () => {
  const RUN = "seen";
  const tampered: readonly { readonly what: string; readonly sql: string; readonly finds: RegExp }[] = [
    { what: "an acknowledged decision that is gone", sql: "delete from decision where seq = 2", finds: /^I1: 1 of 5 acknowledged/ },
    { what: "another answer than was given", sql: "update decision set action = 'refer' where seq = 3", finds: /^I1: acknowledged/ },
    {
      what: "a person decided about twice",
      sql: "update decision_payload set payload = (select payload from decision_payload where seq = 1) where seq = 4",
      finds: /^I2: 1 decisions/,
    },
    { what: "a tally that isn't what the log has", sql: "update tally set decisions = decisions + 1", finds: /^I3: tally/ },
    { what: "a total that isn't what the tallies have", sql: "update tally_total set counted = counted + 1", finds: /^I3: tally_total/ },
    { what: "a score that is counted in another bin", sql: "update score_total set bin = bin + 1", finds: /^I3, by SQL: score_total/ },
    { what: "a latency that isn't counted", sql: "delete from latency_tally", finds: /^I3, by SQL: latency_tally/ },
    {
      what: "a route change without its audit entry",
      sql: "delete from transition where generation = (select max(generation) from transition)",
      finds: /^I4: /,
    },
    { what: "a changed audit entry", sql: "update audit set payload_json = '{}' where seq = 2", finds: /^I5: / },
  ];
  test("each thing that may not be is found", { timeout: 60_000 }, async () => {
    const made = await torment(1).prepared();
    const path = copyOf(made.folder, join(folder(), "data"));
    const world = await openVictimWorld(path, "sound");
    const acked = [];
    for (let n = 0; n < 5; n++) acked.push(acknowledged(RUN, { n, reply: (await world.decide(RUN, n)).reply }));
    await world.close();
    expect((await inspect(path, acked, false)).failures).toEqual([]);
    const overlooked: string[] = [];
    for (const { what, sql, finds } of tampered) {
      const copy = copyOf(path, join(folder(), "data"));
      const db = new Database(join(copy, "evenkeel.db"));
      db.pragma("foreign_keys = off");
      db.exec(sql);
      db.close();
      const { failures } = await inspect(copy, acked, false);
      if (!failures.some((failure) => finds.test(failure))) overlooked.push(`${what}: found ${JSON.stringify(failures)}`);
    }
    expect(overlooked).toEqual([]);
  });
});

test("the band of a share is the binomial distribution's own", () => {
  // P(X ≤ 5) = 0.0207 and P(X ≤ 6) = 0.0577 for 20 tosses of a coin.
  expect(binomialBand(20, 0.5, 0.95)).toEqual({ low: 6, high: 14 });
  // P(X ≥ 1) = 0.00996 and P(X ≥ 2) = 0.00004 for 10 draws of one in a thousand and a bit.
  expect(binomialBand(10, 0.001, 0.99)).toEqual({ low: 0, high: 1 });
  expect([binomialBand(9, 0, 0.99), binomialBand(9, 1, 0.99)]).toEqual([
    { low: 0, high: 0 },
    { low: 9, high: 9 },
  ]);
});

describe("the report", () => {
  const finished = (id: string, outcome: Finished["outcome"]): Finished => ({
    case: { id, title: `case ${id}`, section: "fault" },
    seconds: 1,
    outcome,
  });
  const fault: Outcome = {
    kind: "fault",
    runs: 2,
    injected: 2,
    acked: 12_345,
    serverErrors: 0,
    recoverMs: [10, 30],
    note: "",
    ...NOTHING_WRONG,
  };
  const header = { seed: 7, commit: "1a2b3c4", node: "24.0.0", sqlite: "3.54.1", cores: 2, memoryGib: 24, seconds: 90 };

  test("figures of a load whose generator was late itself are void, and no pass", () => {
    const figures = { p50Ms: 1, p99Ms: 1, p999Ms: 1, maxMs: 1, loopP99Ms: 1, rssMb: 1, answered: 1, offeredPerSecond: 1, goodPerSecond: 1 };
    const load: Outcome = { kind: "load", ...figures, shed: 0, failed: 0, fallback: 0, isVoid: true, note: "", failures: [] };
    expect(verdictOf(finished("L1", load))).toBe("skipped");
    expect(verdictOf(finished("L1", { ...load, isVoid: false }))).toBe("pass");
    expect(verdictOf(finished("L1", { ...load, failures: ["a promise was broken"] }))).toBe("FAIL");
  });

  test("what may be luck is tried again and said; a lost decision is never tried away", () => {
    const late = finished("F14", { ...fault, failures: ["an answer came late"] });
    expect([late, finished("F2", { kind: "broke", why: "no server" })].map(mayBeLuck)).toEqual([true, true]);
    for (const wrong of [{ lost: 1 }, { doubled: 1 }, { wrong: 1 }, { tallyOff: 1 }])
      expect(mayBeLuck(finished("F14", { ...fault, ...wrong, failures: ["a promise was broken"] }))).toBe(false);
    expect([finished("F1", fault), finished("C2", { kind: "control", found: undefined })].some(mayBeLuck)).toBe(false);
    const text = reportOf(header, [{ ...finished("F14", fault), firstFailed: ["an answer came late"] }]);
    expect(text).toContain("FAILED AT FIRST, tried again\nF14: an answer came late");
    expect(text.endsWith("1 passed, 0 failed, 0 skipped")).toBe(true);
  });

  test("a control that nothing was found wrong with, a broken case and a broken promise are failures; what didn't run says why", () => {
    const all = [
      finished("F1", fault),
      finished("F5", { ...fault, failures: ["a promise was broken"] }),
      finished("C2", { kind: "control", found: undefined }),
      finished("C3", { kind: "control", found: "3 tallies differ" }),
      finished("F9", { kind: "skipped", why: "no libfaketime (Debian package libfaketime)" }),
      finished("F7", { kind: "broke", why: "it threw" }),
    ];
    expect(all.map(verdictOf)).toEqual(["pass", "FAIL", "FAIL", "pass", "skipped", "FAIL"]);
    const text = reportOf(header, all);
    expect(text).toContain(
      "evenkeel torture · seed 7 · commit 1a2b3c4 · node 24.0.0 · sqlite 3.54.1 (synchronous=FULL) · 2 cores 24 GiB · 90 s",
    );
    expect(text).toContain("NOT RUN   F9 (no libfaketime (Debian package libfaketime))");
    expect(text).toContain("F5: a promise was broken");
    expect(text.endsWith("2 passed, 3 failed, 1 skipped")).toBe(true);
  });
});
