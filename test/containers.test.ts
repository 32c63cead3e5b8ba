/** Models in containers on a real engine: the whole product, a real image, and what goes wrong with it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { realEngine } from "./container-engine.ts";
import { freshServer, problemOf, type FreshServer } from "./server.ts";

const real = await realEngine();
const ENDPOINT = `
kind: endpoint
name: cards
inputs:
  income: { type: number, min: 0, max: 200000 }
  debt: { type: number, min: 0, max: 200000 }
actions:
  approve: { favourable: true }
  deny: { favourable: false }
fallback:
  scorer: { kind: rules, rules: [], otherwise: { score: 0.3 } }
  policy: { bands: [{ action: deny, from: 0 }, { action: approve, from: 0.5 }] }
`;

describe.skipIf(real === undefined)("a model in a container", () => {
  const socket = real?.socket ?? "";
  let server: FreshServer;
  beforeAll(async () => {
    server = await freshServer({
      containerEngine: socket,
      secrets: { model_key: "twelve chars" },
      onError: (error, at) => console.log(at, error.message),
    });
    await server.admin.post("/v1/apply", { yaml: ENDPOINT });
  }, 60_000);
  afterAll(() => server.drop());

  const scorer = (more: object = {}) => ({
    kind: "container",
    image: real?.image,
    port: 8080,
    protocol: "oip",
    model: "credit",
    send: "inputs",
    memory_mb: 128,
    env: { MODEL_SECRET: { secret: "model_key" } },
    ...more,
  });
  const policy = {
    bands: [
      { action: "deny", from: 0 },
      { action: "approve", from: 0.5 },
    ],
  };
  const deploy = (more: object = {}) =>
    server.admin.post<{ readonly release: string }>("/v1/endpoints/cards/releases", { scorer: scorer(more), policy });

  test("decides", async () => {
    const { release } = await deploy();
    await server.admin.post("/v1/endpoints/cards/promote", { release, reason: "try it" });
    const application = await server.as("application");
    expect(await application.post("/v1/endpoints/cards/decisions", { inputs: { income: 150_000, debt: 1 } })).toMatchObject({
      route: "live",
      score: 0.75,
      action: "approve",
    });
  }, 60_000);

  test("never", async () => {
    const p = await problemOf(deploy({ env: { MODEL_MODE: "never" }, start_timeout_ms: 3000 }));
    console.log(JSON.stringify(p, null, 1));
  }, 60_000);
});
