import { beforeEach, expect, test } from "vitest";
import { arrivals, binomial, closeBlock, startTest, uniformStream, type TestDefinition } from "../monitoring/index.ts";
import { simulatedRuntime, type SimulatedRuntime } from "../store/index.ts";
import { LOOK_AFTER, Looks } from "./looks.ts";

let runtime: SimulatedRuntime;
let looked: string[];
let errors: Error[];
let tests: number;
let work: (endpoint: string) => Promise<void>;
let looks: Looks;
beforeEach(() => {
  runtime = simulatedRuntime(1, 0);
  looked = [];
  errors = [];
  tests = 0;
  work = async () => undefined;
  looks = new Looks({
    runtime,
    async lookAt(endpoint) {
      looked.push(`${endpoint} ${runtime.clock.nowMs()}`);
      await work(endpoint);
      return tests;
    },
    onError: (error) => void errors.push(error),
  });
});
const decide = (count: number, endpoint = "loans") => {
  for (let i = 0; i < count; i++) looks.note(endpoint);
};
/** Work that is under way goes on until it waits for time. */
const settle = () => new Promise(setImmediate);

test("a look is due after so many decisions of an endpoint, whatever is decided elsewhere", async () => {
  decide(LOOK_AFTER - 1);
  decide(LOOK_AFTER - 1, "cards");
  await settle();
  expect(looked).toEqual([]);
  decide(1);
  await settle();
  expect(looked).toEqual(["loans 0"]);
});

test("however many come, looks keep their distance, and more of it the more tests there are", async () => {
  const looksIn = async (durationMs: number) => {
    looked = [];
    for (let ms = 0; ms < durationMs; ms++) {
      decide(LOOK_AFTER);
      await runtime.advance(1);
      await settle();
    }
    return looked.length;
  };
  expect(await looksIn(4000)).toBeCloseTo(4000 / 40, -1);
  tests = 50;
  expect(await looksIn(4000)).toBeCloseTo(4000 / 90, -1);
});

test("decisions that come while one looks are seen by the next look", async () => {
  let done: () => void = () => undefined;
  work = () => new Promise((resolve) => (done = resolve));
  decide(LOOK_AFTER);
  await settle();
  decide(3 * LOOK_AFTER);
  await runtime.advance(100);
  expect(looked).toEqual(["loans 0"]);
  done();
  await settle();
  await runtime.advance(40);
  await settle();
  expect(looked).toEqual(["loans 0", "loans 140"]);
  done();
  await settle();
  await runtime.advance(1000);
  expect(looked).toHaveLength(2);
});

test("looks and ticks go one after the other", async () => {
  const happened: string[] = [];
  const tick = looks.inTurn(async () => {
    await settle();
    happened.push("ticked");
  });
  work = async () => void happened.push("looked");
  decide(LOOK_AFTER);
  await tick;
  await looks.settled();
  expect(happened).toEqual(["ticked", "looked"]);
});

test("a look that fails is told, and the next ones are left to the ticks for a while", async () => {
  work = () => Promise.reject(new Error("no database"));
  decide(LOOK_AFTER);
  await settle();
  expect(errors.map(({ message }) => message)).toEqual(["no database"]);
  decide(10 * LOOK_AFTER);
  await runtime.advance(999);
  await settle();
  expect(looked).toHaveLength(1);
  await runtime.advance(1);
  await settle();
  expect(looked).toHaveLength(2);
});

test("nothing is looked at after the end, and a tick's error keeps nobody from looking", async () => {
  await expect(looks.inTurn(() => Promise.reject(new Error("tick")))).rejects.toThrow("tick");
  decide(LOOK_AFTER);
  await settle();
  expect(looked).toHaveLength(1);
  decide(LOOK_AFTER); // due in 40 ms
  await looks.stop();
  decide(10 * LOOK_AFTER);
  await runtime.advance(1000);
  await settle();
  expect(looked).toHaveLength(1);
});

/** People whom a gross harm hits until it is proven, at so many decisions a second; the median of some lives. */
async function peopleUntilProof(decisionsAMs: number): Promise<number> {
  const definition: TestDefinition = { kind: "ratio_min", limit: 0.8, dependence: 1, prior: null, priorN: 2 };
  const threshold = -Math.log(0.0045);
  const lives: number[] = [];
  for (let life = 0; life < 15; life++) {
    const next = uniformStream(20261201, life);
    let state = startTest(definition);
    let people = 0;
    let open = { n: [0, 0], k: [0, 0] };
    work = async () => {
      state = closeBlock(definition, state, open);
      open = { n: [0, 0], k: [0, 0] };
    };
    while (state.logE < threshold) {
      const n = arrivals(decisionsAMs, [0.5, 0.5], next);
      const k = n.map((count, g) => binomial(count, g === 0 ? 0.35 : 0.7, next));
      open = { n: n.map((count, g) => count + (open.n[g] ?? 0)), k: k.map((count, g) => count + (open.k[g] ?? 0)) };
      people += decisionsAMs;
      decide(decisionsAMs);
      await runtime.advance(1);
      await settle();
    }
    lives.push(people);
    await runtime.advance(1000);
  }
  return lives.toSorted((a, b) => a - b)[7] ?? Number.NaN;
}

test("whom a gross harm hits until it is proven doesn't depend on how many come in a second", async () => {
  for (const decisionsAMs of [1, 5]) expect(await peopleUntilProof(decisionsAMs)).toBeLessThanOrEqual(600);
});
