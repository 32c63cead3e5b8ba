import { afterEach, expect, test, vi } from "vitest";
import { freshServer, problemOf, type FreshServer } from "../../test/server.ts";
import { forestModel } from "../../test/fixtures/onnx-models.ts";
import { endpoint } from "../../test/lender.ts";
import type { BlobView, EndpointView, ModelVersionView } from "../api/index.ts";
import type { LoadedRelease } from "../serving/index.ts";
import { MemoryBudget } from "./memory-budget.ts";

/** What the budget looks at. */
const loaded = (number: number, pid = number) => ({ id: `rel:${number}`, number, pid, endpoint: { name: "loans" } }) as LoadedRelease;
const tens = (pid: number | undefined) => ({ ownBytes: pid === undefined ? 0 : 10e6, residentBytes: 50e6 });

test("what rests goes when there is no room for it, the longest at rest first", () => {
  const budget = new MemoryBudget(30e6, tens);
  const [a, b, c, d] = [loaded(1), loaded(2), loaded(3), loaded(4)];
  const evicted: number[] = [];
  const rest = (release: LoadedRelease) => budget.rest(release, () => evicted.push(release.number));
  for (const release of [a, b, c]) budget.add(release);
  rest(b);
  rest(a);
  expect([evicted, budget.usedBytes()]).toEqual([[], 10e6]);
  budget.add(d);
  expect(evicted).toEqual([2]);
  budget.use(a);
  expect(budget.usedBytes()).toBe(30e6);
  expect(budget.holdings().map(({ number, isAtRest }) => [number, isAtRest])).toEqual([
    [3, false],
    [1, false],
    [4, false],
  ]);
});

test("also where there is room only a few rest, and what takes no memory never does", () => {
  const budget = new MemoryBudget(Number.POSITIVE_INFINITY, tens);
  const evicted: number[] = [];
  for (let number = 1; number <= 10; number++) {
    const release = loaded(number);
    budget.add(release);
    budget.rest(release, () => evicted.push(number));
  }
  expect(evicted).toEqual([1, 2, 3, 4, 5, 6]);
  const rule = { ...loaded(11), pid: undefined };
  budget.add(rule);
  budget.rest(rule, () => evicted.push(11));
  expect(evicted.at(-1)).toBe(11);
});

test("what would not fit is refused with what it needs and what is in use, naming no other endpoint's releases", () => {
  const budget = new MemoryBudget(25e6, tens);
  budget.add(loaded(1));
  budget.add({ ...loaded(2), endpoint: { name: "cards" } } as LoadedRelease);
  const third = loaded(3);
  budget.add(third);
  const issue = budget.refusalOf(third);
  expect(issue).toMatchObject({
    expected: "a release that fits into the memory budget of 25 MB",
    got: "one that needs 10 MB, and in use are 10 MB by r1, 10 MB by other endpoints",
  });
  budget.remove(third);
  expect(budget.refusal(third)).toEqual(issue);
  expect(budget.refusal(loaded(9))).toBeUndefined();
});

let server: FreshServer | undefined;
afterEach(() => server?.drop());

// Where the system doesn't tell what a process takes, nothing is refused.
test.runIf(process.platform === "linux")(
  "a release that doesn't fit is refused at deploy and the route is as it was; `status` shows figures",
  async () => {
    server = await freshServer({ memoryBudgetBytes: 50e6 });
    const { admin } = server;
    await admin.post("/v1/apply", { yaml: JSON.stringify(endpoint) });
    await admin.post("/v1/feature-sets", {
      name: "loans",
      features: [
        { name: "income", from: "income" },
        { name: "zero", cel: "0.0" },
      ],
    });
    const release = async (seed: number) => {
      const blob = await admin.put<BlobView>("/v1/blobs", forestModel({ width: 2, trees: 100, depth: 6, seed }));
      const { model, number } = await admin.post<ModelVersionView>("/v1/models/credit/versions", { blob: blob.id, featureSet: "loans/1" });
      return admin.post<{ readonly release: string }>("/v1/endpoints/loans/releases", {
        model: `${model}/${number}`,
        policy: {
          bands: [
            { from: 0, action: "deny" },
            { from: 0.5, action: "approve" },
          ],
        },
      });
    };
    const route = () => admin.get<EndpointView>("/v1/endpoints/loans");
    await release(1);
    await admin.post("/v1/endpoints/loans/promote", { release: "r2", reason: "it is better" });
    const before = await route();
    expect(before.memory).toMatchObject({ budgetBytes: 50e6, loaded: [{ release: "r2", isAtRest: false }] });
    expect(before.memory.usedBytes).toBeGreaterThan(10e6);
    expect(before.memory.loaded[0]?.residentBytes).toBeGreaterThan(before.memory.loaded[0]?.ownBytes ?? 0);

    const problem = await problemOf(release(2));
    expect(problem).toMatchObject({ status: 422, errors: [{ expected: "a release that fits into the memory budget of 50 MB" }] });
    expect(problem.errors?.[0]?.got).toMatch(/^one that needs \d+ MB, and in use are \d+ MB by r2$/);
    const after = await route();
    expect(after.route).toEqual(before.route);
    await vi.waitFor(async () => expect((await route()).memory.loaded).toHaveLength(1));
  },
);
