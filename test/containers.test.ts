/** Models in containers on a real engine: the whole product, a real image, and what goes wrong with it. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LogView, NewTokenView } from "../src/api/index.ts";
import { startApp, type App, type AppOptions } from "../src/app.ts";
import { EvenkeelClient } from "../src/client.ts";
import { ContainerEngine } from "../src/serving/index.ts";
import { containersOf, realEngine, type RealEngine } from "./container-engine.ts";
import { problemOf } from "./server.ts";

const real = await realEngine();
const run = promisify(execFile);

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
const policy = {
  bands: [
    { action: "deny", from: 0 },
    { action: "approve", from: 0.5 },
  ],
};

describe.skipIf(real === undefined)("a model in a container", { timeout: 120_000 }, () => {
  const { engine, image, socket } = real ?? nowhere();
  const withEngine = { containerEngine: socket, secrets: { model_key: "twelve chars" } };
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-test-"));
  const troubles: string[] = [];
  const clients: EvenkeelClient[] = [];
  let app: App;
  let tokens: { readonly admin: string; readonly operator: string; readonly application: string };
  const client = (token: string) => {
    const made = new EvenkeelClient({ url: app.url, token });
    clients.push(made);
    return made;
  };
  const admin = () => client(tokens.admin);
  const start = async (options: Partial<AppOptions>) => {
    app = await startApp({ folder, port: 0, onError: (error) => troubles.push(error.message), ...options });
  };
  const stop = async () => {
    for (const each of clients.splice(0)) await each.close();
    await app.stop();
  };
  beforeAll(async () => {
    await start(withEngine);
    const first = app.firstAdmin?.token ?? "";
    const tokenOf = async (role: string) => (await client(first).post<NewTokenView>("/v1/tokens", { name: `a ${role}`, role })).token;
    tokens = { admin: first, operator: await tokenOf("operator"), application: await tokenOf("application") };
    await admin().post("/v1/apply", { yaml: ENDPOINT });
  }, 60_000);
  afterAll(async () => {
    await stop();
    for (const id of await mine()) await engine.remove(id);
    const names = (await run("podman", ["network", "ls", "--format", "{{.Name}}", "--filter", "label=dev.evenkeel.managed=true"])).stdout;
    for (const name of names.split("\n").filter((each) => each !== "")) await engine.removeNetwork(name);
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  const deploy = (more: object = {}, who = admin()) =>
    who.post<{ readonly release: string }>("/v1/endpoints/cards/releases", {
      scorer: {
        kind: "container",
        image,
        port: 8080,
        protocol: "oip",
        model: "credit",
        send: "inputs",
        memory_mb: 128,
        env: { MODEL_SECRET: { secret: "model_key" } },
        ...more,
      },
      policy,
    });
  const decide = () =>
    client(tokens.application).post<{ readonly route: string; readonly score: number }>("/v1/endpoints/cards/decisions", {
      inputs: { income: 150_000, debt: 1 },
    });
  const route = async () => (await admin().get<{ readonly route: unknown }>("/v1/endpoints/cards")).route;
  const mine = () => containersOf(engine, folder);
  let live = "";
  let container = "";

  test("decides, and its log can be read", async () => {
    ({ release: live } = await deploy());
    await admin().post("/v1/endpoints/cards/promote", { release: live, reason: "try it" });
    expect(await decide()).toMatchObject({ route: "live", score: 0.75, action: "approve" });
    const log = await admin().get<LogView>(`/v1/endpoints/cards/releases/${live}/logs`);
    const lines = log.lines.map(({ stream, text }) => `${stream}: ${text}`);
    expect(lines).toContain("stdout: model server starts: good, uid 65532, secret of 12 letters");
    expect(lines).toContain("stderr: the root is read-only, /tmp is writable");
    expect(lines).toContain("stdout: model server listens");
    const later = await admin().get<LogView>(`/v1/endpoints/cards/releases/${live}/logs`, { after: log.next ?? "" });
    expect(later.lines).toEqual([]);
    [container = ""] = await mine();
    // It takes ten seconds to end: it is looked for below, once the others have had their turn.
    await deploy({ env: { MODEL_MODE: "stubborn" } });
    expect(await mine()).toHaveLength(2);
  });

  test("has no capabilities, no way out, and its limits", async () => {
    const inspected = JSON.parse((await run("podman", ["inspect", container])).stdout);
    expect(inspected[0].HostConfig).toMatchObject({ Memory: 128 * 1024 * 1024, PidsLimit: 256, ReadonlyRootfs: true, Privileged: false });
    expect(inspected[0].Mounts).toEqual([]);
    const status = (await run("podman", ["exec", container, "cat", "/proc/1/status"])).stdout;
    expect(status).toMatch(/CapEff:\s+0+\n/);
    expect(status).toMatch(/NoNewPrivs:\s+1\n/);
    const out = `fetch("http://203.0.113.1:8080", { signal: AbortSignal.timeout(3000) }).catch((e) => console.log(e.cause.code))`;
    expect((await run("podman", ["exec", container, "node", "-e", out])).stdout.trim()).toMatch(/^E(NETUNREACH|HOSTUNREACH)$/);
  });

  test("that is killed is nobody's failed request: the rule answers, and it comes back", async () => {
    const during: string[] = [];
    const application = client(tokens.application);
    // Not by the engine's API: Podman's answers when it has seen it stopped, and here it may be up again before that.
    const killed = run("podman", ["kill", container]);
    for (const untilMs = performance.now() + 15_000; performance.now() < untilMs;) {
      const reply = await application.post<{ readonly route: string }>("/v1/endpoints/cards/decisions", {
        inputs: { income: 150_000, debt: 1 },
      });
      during.push(reply.route);
      if (during.includes("fallback") && reply.route === "live") break;
    }
    await killed;
    expect(during).toContain("fallback");
    expect(during.at(-1)).toBe("live");
    expect(troubles.join("\n")).toContain("it was killed (137): out of memory, or SIGKILL; its limit is 128 MiB; starting it again");
    expect(await mine()).toContain(container);
  });

  test("one that can't be used is refused with what came and the end of its log, and the route table stays", async () => {
    const before = await route();
    const refused = async (mode: string, got: string, startTimeoutMs = 10_000) => {
      const problem = await problemOf(deploy({ env: { MODEL_MODE: mode }, start_timeout_ms: startTimeoutMs }));
      expect(problem.status).toBe(422);
      const [issue] = problem.errors ?? [];
      expect(`${issue?.expected} ${issue?.got}`).toContain(got);
      expect(issue?.hint).toContain(`model server starts: ${mode}`);
    };
    await Promise.all([
      refused("never", "GET /v2/health/ready was answered with status 503", 3000),
      refused("exit", "it ended with exit code 3"),
      refused("shape", "3 inputs of the model"),
      refused("garbage", "when"),
    ]);
    expect(await route()).toEqual(before);
  });

  test("an image of a new name is for whoever may name targets", async () => {
    const plain = client(tokens.operator);
    expect(await deploy({ pids: 100 }, plain)).toMatchObject({ scorer: "container" });
    const other = `registry.example.com/other@sha256:${"0".repeat(64)}`;
    expect(await problemOf(deploy({ image: other }, plain))).toMatchObject({
      status: 403,
      detail: expect.stringContaining("targets:write"),
    });
    expect(await problemOf(deploy({ image: "localhost/evenkeel-test-model:latest" }))).toMatchObject({
      errors: [{ path: "/scorer/image", hint: `here and now that is ${image}` }],
    });
  });

  test("whatever isn't needed is gone, ten seconds later even what ignores SIGTERM", async () => {
    await expect.poll(mine, { timeout: 30_000 }).toEqual([container]);
  });

  test("is left running by a server that stops, and taken over by the next", async () => {
    await stop();
    await start(withEngine);
    await expect.poll(decide, { timeout: 60_000 }).toMatchObject({ route: "live", score: 0.75 });
    expect(await mine()).toEqual([container]);
  });

  test("without an engine the server starts, and the rule answers", async () => {
    await stop();
    await start({});
    expect(await decide()).toMatchObject({ route: "fallback", score: 0.3 });
    expect(await problemOf(deploy({ pids: 99 }))).toMatchObject({
      errors: [{ path: "/scorer", hint: expect.stringContaining("--container-engine") }],
    });
    await stop();
    await start(withEngine);
    await expect.poll(decide, { timeout: 60_000 }).toMatchObject({ route: "live" });
  });
});

/** Never used: without an engine nothing here runs. */
const nowhere = (): RealEngine => ({ socket: "", image: "", engine: new ContainerEngine("") });
