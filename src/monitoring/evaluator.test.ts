import { describe, expect, test } from "vitest";
import { START_MS, freshSqliteStore } from "../../test/sqlite.ts";
import { DecisionLog, cellKey } from "../decisions/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import { simulatedRuntime } from "../store/index.ts";
import { GuardrailEvaluator } from "./evaluator.ts";
import type { WatchedEndpoint } from "./watched.ts";
import { evaluatorSuite } from "./evaluator.suite.ts";

describe("on SQLite", () => {
  evaluatorSuite(async () => {
    const runtime = simulatedRuntime(1, START_MS);
    return { ...(await freshSqliteStore(runtime)), runtime };
  });
});

test("what the decision log records is what is tested: a shadow's flips, its own answers, and one person once", async () => {
  const { store, drop } = await freshSqliteStore(simulatedRuntime(1, START_MS));
  const log = await DecisionLog.open(store);
  const [live, shadow] = ["rel:live", "rel:shadow"] as [ReleaseId, ReleaseId];
  const endpoint = "loans" as EndpointName;
  const watched: WatchedEndpoint = {
    endpoint,
    groups: { sex: ["female", "male"] },
    guardrails: [
      { name: "parity", metric: "adverse_impact_ratio", limit: 0.8, action: "roll_back" },
      { name: "flips", metric: "flips_to_worse", limit: 0.5, action: "hold" },
    ],
    budget: 0.01,
    favourable: new Set(["approve"]),
    releases: [
      { release: live, armClass: "serving", epoch: 0 },
      { release: shadow, armClass: "shadow", epoch: 0 },
    ],
  };
  const evaluator = new GuardrailEvaluator(store);
  const ask = async (person: number) => {
    const sex = person % 2 === 0 ? "female" : "male";
    const id = store.runtime.ids.decision();
    const answer = { release: live, score: 0.7, action: "approve", favourable: true } as const;
    await log.append({
      ...answer,
      id,
      endpoint,
      arm: "live",
      generation: 1,
      cell: cellKey({ sex }, ["sex"]),
      subject: `subject-${person}`,
      payload: "{}",
      salt: store.runtime.random.bytes(16),
      reasons: [],
      answeredBy: "live",
      because: null,
      decidedAtMs: store.runtime.clock.nowMs(),
      latencyUs: 100,
      idempotencyKey: null,
      bodyHash: null,
      source: "tok:web",
    });
    const isDenied = sex === "female" && person % 4 === 0;
    log.appendShadow({
      decision: id,
      release: shadow,
      score: 0.4,
      action: isDenied ? "deny" : "approve",
      favourable: !isDenied,
      because: null,
      answeredAtMs: store.runtime.clock.nowMs(),
      latencyUs: 100,
    });
  };
  await evaluator.look(watched);
  for (let person = 0; person < 100; person++) await ask(person);
  for (let person = 0; person < 100; person += 4) await ask(person); // they try again at once
  await log.flush();
  const breaches = await evaluator.look(watched);
  expect(breaches.map(({ armClass, guardrail, groupLabel, groupN, groupK }) => [armClass, guardrail, groupLabel, groupN, groupK])).toEqual([
    ["shadow", "flips", "sex=female", 25, 25],
  ]);
  expect(breaches[0]?.sources).toEqual([{ source: "tok:web", share: 1 }]);
  const counted = (await evaluator.tests(watched)).map(({ armClass, plan, consumed }) => [
    armClass,
    plan.groupLabel,
    plan.guardrail,
    consumed.n,
  ]);
  expect(counted.slice(0, 2)).toEqual([
    ["serving", "sex=female", "parity", [50, 50]],
    ["serving", "sex=male", "parity", [50, 50]],
  ]);
  await log.close();
  await drop();
});
