import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { forestModel } from "../../test/fixtures/onnx-models.ts";
import { DecisionLog } from "../decisions/index.ts";
import type { EndpointName } from "../std.ts";
import { openStore, sha256Hex, simulatedRuntime } from "../store/index.ts";
import { compileEndpoint } from "./endpoint.ts";
import { Gateway } from "./gateway.ts";
import { loadRelease, releaseIdOf, type ReleaseBundle } from "./loaded-release.ts";

/** Names are made where endpoints are. */
const asEndpointName = (name: string) => name as EndpointName;

/** A hundred decisions on simulated time, half of them by a canary, with a shadow: everything that was recorded, as one hash. */
async function digestOf(seed: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "evenkeel-simulated-"));
  const runtime = simulatedRuntime(seed, Date.UTC(2026, 0, 1));
  const store = await openStore({ folder }, runtime);
  const log = await DecisionLog.open(store);
  const endpoint = compileEndpoint({
    name: asEndpointName("loans"),
    inputs: { income: { type: "number" }, debt: { type: "number" } },
    groups: {},
    actions: { approve: { favourable: true }, deny: { favourable: false } },
  });
  if (!endpoint.ok) throw new Error("refused");
  const load = async (number: number, scorer: ReleaseBundle["scorer"]) => {
    const bundle: ReleaseBundle = {
      endpoint: "loans",
      scorer,
      features: {
        name: "f",
        features: [
          { name: "income", from: "income" },
          { name: "debt", cel: "debt / 2" },
        ],
      },
      policy: {
        bands: [
          { action: "deny", from: 0 },
          { action: "approve", from: 0.5 },
        ],
      },
    };
    const release = await loadRelease(
      { id: releaseIdOf(bundle), number, bundle, endpoint: endpoint.value },
      { blobs: store.blobs, clock: runtime.clock, inline: true },
    );
    if (!release.ok) throw new Error(JSON.stringify(release.error));
    return release.value;
  };
  const forest = (model: string): ReleaseBundle["scorer"] => ({ kind: "onnx", model });
  const rule = await load(1, { kind: "rules", rules: [], otherwise: { score: 1 } });
  const [live, canary] = [
    await load(2, forest(await store.blobs.put(forestModel({ width: 2, trees: 5, depth: 3, seed: 1 })))),
    await load(3, forest(await store.blobs.put(forestModel({ width: 2, trees: 5, depth: 3, seed: 2 })))),
  ];
  const gateway = new Gateway({ log, runtime, subjectKey: Buffer.alloc(32) });
  await gateway.swap({
    endpoint: endpoint.value,
    generation: 1,
    live,
    canary: { release: canary, share: 0.5, when: null },
    ab: null,
    shadows: [{ release: rule, share: 1 }],
    standby: null,
    fallback: rule,
    releaseNumbers: new Map(),
  });
  for (let i = 0; i < 100; i++) {
    const body = { subject: `p${i}`, inputs: { income: i / 50, debt: i / 100 } };
    await gateway.decide("loans", body, { payload: JSON.stringify(body), source: "app", idempotencyKey: null, bodyHash: null });
    await runtime.advance(1000);
  }
  await gateway.idle();
  await log.close();
  const decisions = await store.db.selectFrom("decision").selectAll().orderBy("seq").execute();
  const shadows = await store.db.selectFrom("shadow_answer").selectAll().orderBy("decision").execute();
  for (const release of [rule, live, canary]) await release.close();
  await store.close();
  await rm(folder, { recursive: true });
  expect(decisions.length).toBe(100);
  expect(shadows.length).toBe(100);
  return sha256Hex(JSON.stringify([decisions, shadows]));
}

test("simulated decisions are the same in every run, and others for another seed", async () => {
  const digest = await digestOf(1);
  expect(await digestOf(1)).toBe(digest);
  expect(await digestOf(2)).not.toBe(digest);
});
