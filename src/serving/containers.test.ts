/** Containers of models at an engine that plays every answer which the Docker Engine API has. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeEngine, IMAGE } from "../../test/fixtures/fake-engine.ts";
import { ModelServer } from "../../test/fixtures/model-server.ts";
import { checked, valueAt } from "../checked.ts";
import type { ReleaseId } from "../std.ts";
import { systemRuntime } from "../store/index.ts";
import { ContainerEngine } from "./container-engine.ts";
import type { ContainerScorerSpec } from "./container-scorer-spec.ts";
import { Containers } from "./containers.ts";
import { HttpCaller } from "./http-caller.ts";
import { ScorerSpec } from "./scorer.ts";

const runtime = systemRuntime();
const release = asReleaseId(`rel:${"1".repeat(64)}`);

let fake: FakeEngine;
let model: ModelServer;
let troubles: string[];
let skippedMs: number;
let ticks: (() => void | Promise<void>)[];

beforeEach(async () => {
  fake = await new FakeEngine().listen();
  model = await new ModelServer().listen();
  fake.port = model.port;
  fake.onStart = (container) => container.log.push({ stream: 1, text: "2026-11-30T12:00:00Z starting\n" });
  troubles = [];
  skippedMs = 0;
  ticks = [];
});
afterEach(async () => {
  await model.close();
  await fake.drop();
});

function containers(secrets: Readonly<Record<string, string>> = {}, isBooted = true): Containers {
  const made = new Containers({
    engine: new ContainerEngine(fake.socket),
    instance: "0123456789abcdef0123456789abcdef",
    random: runtime.random,
    clock: { nowMs: () => runtime.clock.nowMs(), monotonicUs: () => runtime.clock.monotonicUs() + skippedMs * 1000 },
    timers: {
      every(_periodMs, task) {
        ticks.push(task);
        return () => ticks.splice(ticks.indexOf(task), 1);
      },
      sleep: (ms) => runtime.timers.sleep(ms),
    },
    secrets,
    onTrouble: ({ message }) => troubles.push(message),
  });
  if (isBooted) void made.booted();
  return made;
}
const spec = (more: Partial<ContainerScorerSpec> = {}): ContainerScorerSpec =>
  asSpec({ kind: "container", image: IMAGE, port: 8080, protocol: "oip", model: "credit", start_timeout_ms: 1000, ...more });
/** Time goes by; whatever falls due is done. */
async function later(ms: number): Promise<void> {
  skippedMs += ms;
  for (const tick of ticks) await tick();
}
async function taken(pool: Containers, more: Partial<ContainerScorerSpec> = {}) {
  const held = await pool.take(spec(more), release);
  if (!held.ok) throw new Error(JSON.stringify(held.error));
  return held.value;
}
async function refusal(pool: Containers, more: Partial<ContainerScorerSpec> = {}) {
  const held = await pool.take(spec(more), release);
  if (held.ok) throw new Error("it was started");
  return held.error;
}

describe("a container is made", () => {
  test("as little as a model needs: no capabilities, nothing to write, no mounts, limits, its labels", async () => {
    const pool = containers({ key: "s3cret" });
    await taken(pool, { env: { MODE: "fast", KEY: { secret: "key" } }, memory_mb: 256, cpus: 0.5, pids: 64 });
    const { body, name } = fake.only;
    expect(name).toMatch(/^evenkeel-01234567-[0-9a-f]{12}$/);
    expect(body).toMatchObject({
      Image: IMAGE,
      Env: ["MODE=fast", "KEY=s3cret"],
      User: "65532:65532",
      Labels: {
        "dev.evenkeel.managed": "true",
        "dev.evenkeel.instance": "0123456789abcdef0123456789abcdef",
        "dev.evenkeel.release": release,
      },
      HostConfig: {
        Memory: 268_435_456,
        MemorySwap: 268_435_456,
        NanoCpus: 500_000_000,
        PidsLimit: 64,
        ReadonlyRootfs: true,
        CapDrop: ["ALL"],
        SecurityOpt: ["no-new-privileges:true"],
        Init: true,
        Privileged: false,
        RestartPolicy: { Name: "no" },
        PortBindings: { "8080/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] },
      },
    });
    const host = Object.keys(Object(valueAt(body, "/HostConfig")));
    for (const never of ["Binds", "Mounts", "Devices", "VolumesFrom", "CapAdd", "PidMode", "IpcMode"]) expect(host).not.toContain(never);
    expect(JSON.stringify(valueAt(body, "/Labels"))).not.toContain("s3cret");
  });

  test("on a network without a way out; where that can't be reached, on the engine's own, and the operator is told", async () => {
    await taken(containers());
    const bodies = fake.calls
      .filter(({ route }) => route === "POST /containers/create")
      .map(({ body }) => valueAt(body, "/HostConfig/NetworkMode"));
    expect(fake.calls.find(({ route }) => route === "POST /networks/create")?.body).toMatchObject({ Internal: true });
    expect(bodies).toEqual(["evenkeel-0123456789abcdef", "bridge"]);
    expect(troubles).toEqual([expect.stringContaining("can reach the internet")]);
    expect(fake.containers.size).toBe(1);
  });

  test.each([
    [409, "it exists already"],
    [403, "networks are forbidden"],
    [500, "a broken engine"],
  ])("networks are answered with %i: %s", async (status) => {
    fake.play("POST /networks/create", { status });
    expect((await taken(containers())).isUp()).toBe(true);
  });

  test("once for all releases that need the same, and removed with the last of them", async () => {
    const pool = containers();
    const [a, b] = await Promise.all([taken(pool), taken(pool)]);
    await taken(pool, { memory_mb: 100 });
    expect(fake.containers.size).toBe(2);
    await a.giveBack();
    await a.giveBack();
    expect(fake.containers.size).toBe(2);
    await b.giveBack();
    expect(fake.containers.size).toBe(1);
  });

  test("and its calls go to it alone, wherever they were addressed", async () => {
    const held = await taken(containers());
    const caller = new HttpCaller({ egress: held.route, connections: 1, headers: {} });
    expect(await caller.get("http://169.254.169.254/v2/health/ready", 1000)).toMatchObject({ status: 200 });
    await caller.close();
    expect(model.requests.at(-1)?.headers["host"]).toBe("169.254.169.254");
  });
});

describe("an image", () => {
  const other = `registry.example.com/other@sha256:${"b".repeat(64)}`;
  test("that isn't here is fetched by its digest, with credentials if the release names some", async () => {
    await taken(containers({ registry: "p" }), { image: other, pull_as: { username: "u", password: { secret: "registry" } } });
    const pull = fake.calls.find(({ route }) => route === "POST /images/create");
    expect(pull?.path).toBe(
      `/images/create?fromImage=${encodeURIComponent("registry.example.com/other")}&tag=${encodeURIComponent(`sha256:${"b".repeat(64)}`)}`,
    );
    expect(pull?.headers["x-registry-auth"]).toMatch(/^eyJ1c2VybmFtZSI6InUi/);
  });
  test("that can't be fetched is refused in the engine's words, which come in a stream that is answered with 200", async () => {
    fake.pulled = '{"status":"Pulling"}\n{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}\n';
    expect(await refusal(containers(), { image: other })).toEqual([
      { path: "/image", expected: "an image that the engine has or can fetch", got: "manifest unknown" },
    ]);
  });
  test.each([404, 500])("whose fetching is answered with %i is refused", async (status) => {
    fake.play("POST /images/create", { status, body: { message: "repository does not exist" } });
    expect(await refusal(containers(), { image: other })).toMatchObject([{ path: "/image", got: "repository does not exist" }]);
  });
  test("by tag is refused, with its digest if the engine knows it", async () => {
    fake.images.set("registry.example.com/credit:3", [IMAGE]);
    expect(await refusal(containers(), { image: "registry.example.com/credit:3" })).toMatchObject([
      { path: "/image", hint: `here and now that is ${IMAGE}` },
    ]);
    expect(await refusal(containers(), { image: "credit:4" })).toMatchObject([
      { path: "/image", hint: expect.stringContaining("docker image inspect") },
    ]);
    expect(fake.containers.size).toBe(0);
  });
  test("that only this machine has is named by its id, and never fetched", async () => {
    expect(await refusal(containers(), { image: `sha256:${"c".repeat(64)}` })).toMatchObject([
      { path: "/image", expected: "an image that this machine's engine has" },
    ]);
    expect(fake.count("POST /images/create")).toBe(0);
  });
});

describe("an engine that refuses", () => {
  test.each([
    ["POST /containers/create", 400, "invalid mount"],
    ["POST /containers/create", 404, "no such image"],
    ["POST /containers/create", 409, "name in use"],
    ["POST /containers/create", 500, "name in use"],
    ["POST /containers/{id}/start", 404, "executable not found"],
    ["POST /containers/{id}/start", 500, "crun: setrlimit: Operation not permitted"],
    ["GET /info", 500, "panic"],
    ["GET /images/{id}/json", 500, "panic"],
  ])("%s with %i: its words are shown, and nothing stays", async (route, status, message) => {
    fake.play(route, { status, body: { message, cause: "x", response: status } });
    expect(await refusal(containers())).toMatchObject([{ expected: "a container that starts", got: message }]);
    expect(fake.containers.size).toBe(0);
  });
  test("a start that is answered with 304 runs already", async () => {
    fake.isStartedWhenMade = true;
    expect((await taken(containers())).isUp()).toBe(true);
  });
  test.each([
    ["POST /containers/{id}/stop", 304],
    ["POST /containers/{id}/stop", 404],
    ["DELETE /containers/{id}", 404],
    ["DELETE /containers/{id}", 409],
    ["DELETE /networks/{id}", 403],
  ])("%s with %i: it is gone, or somebody else is at it", async (route, status) => {
    const held = await taken(containers());
    fake.play(route, { status });
    await held.giveBack();
    expect(troubles).toHaveLength(1); // the one about the network
  });
  test("one that can't be removed is told", async () => {
    const held = await taken(containers());
    fake.play("DELETE /containers/{id}", { status: 500, body: { message: "device busy" } });
    await held.giveBack();
    expect(troubles.at(-1)).toContain("device busy");
  });
  test("limits that it can't keep: no container without them", async () => {
    fake.info = { MemoryLimit: true, CpuCfsQuota: false, PidsLimit: false };
    expect(await refusal(containers())).toMatchObject([{ got: "one that can't limit cpus, pids" }]);
  });
  test("an engine that isn't there is told with what to do, and found once it is", async () => {
    const pool = containers();
    await fake.stop();
    expect(await refusal(pool)).toMatchObject([
      { got: expect.stringContaining("no answer from the container engine at"), hint: expect.stringContaining("--container-engine") },
    ]);
    await fake.listen();
    expect((await taken(pool)).isUp()).toBe(true);
  });
  test("garbage", async () => {
    fake.play("GET /info", { status: 200, body: "<html>" });
    expect(await refusal(containers())).toMatchObject([{ got: "expected JSON from the engine, it answered something else" }]);
  });
});

describe("what is inside", () => {
  test("never gets ready: refused with how it answered and the end of its log", async () => {
    model.isReady = false;
    expect(await refusal(containers())).toEqual([
      {
        path: "",
        expected: "a container that is ready within 1 s",
        got: "GET /v2/health/ready was answered with status 503",
        hint: "its log ends with:\nstarting",
      },
    ]);
    expect(fake.containers.size).toBe(0);
  });
  test("ends while it starts: nobody waits for it", async () => {
    fake.onStart = (container) => {
      container.log.push({ stream: 2, text: "2026-11-30T12:00:00Z no weights\n" });
      fake.end(container, 3);
    };
    const startedMs = performance.now();
    expect(await refusal(containers(), { start_timeout_ms: 30_000 })).toMatchObject([
      { got: "it ended with exit code 3", hint: "its log ends with:\nno weights" },
    ]);
    expect(performance.now() - startedMs).toBeLessThan(5000);
  });
  test("is killed for its memory: the limit is named", async () => {
    fake.onStart = (container) => fake.end(container, 137);
    expect(await refusal(containers())).toMatchObject([
      { got: "it was killed (137): out of memory, or SIGKILL; its limit is 512 MiB", hint: "it printed nothing" },
    ]);
  });
  test("must say when it is ready", async () => {
    expect(await refusal(containers(), asSpec({ protocol: "template", rows: "/input", scores: "/output" }))).toMatchObject([
      { path: "/ready" },
    ]);
  });
  test("is given secrets that the server knows only", async () => {
    expect(await refusal(containers(), { env: { KEY: { secret: "nope" } }, headers: { "X-Key": { secret: "neither" } } })).toMatchObject([
      { path: "/env/KEY", hint: expect.stringContaining("EVENKEEL_SECRET_NOPE") },
      { path: "/headers/X-Key" },
    ]);
  });
});

describe("a container that ends", () => {
  test("is started again at once, the same one, and tells why", async () => {
    const held = await taken(containers());
    const { only } = fake;
    fake.end(only, 1);
    await expect.poll(() => fake.count("POST /containers/{id}/start")).toBe(3); // the first was on the network that can't be reached
    await expect.poll(() => held.isUp()).toBe(true);
    expect(fake.only.id).toBe(only.id);
    expect(troubles.at(-1)).toContain("it ended with exit code 1; starting it again");
  });
  test("again and again: later and later, and the fifth time its log is shown", async () => {
    const held = await taken(containers());
    const delays = [];
    for (let i = 0; i < 5; i++) {
      const told = troubles.length;
      fake.end(fake.only, 1);
      await expect.poll(() => troubles.length).toBeGreaterThan(told);
      delays.push(/starting it again( in \d+ s)?/.exec(troubles.at(-1) ?? "")?.[0]);
      if (i > 0) expect(held.isUp()).toBe(false);
      await later(i === 0 ? 0 : 1000 * 2 ** (i - 1));
      await expect.poll(() => held.isUp()).toBe(true);
    }
    expect(delays).toEqual([
      "starting it again",
      "starting it again in 1 s",
      "starting it again in 2 s",
      "starting it again in 4 s",
      "starting it again in 8 s",
    ]);
    expect(troubles.at(-1)).toContain("5 times within 5 minutes. its log ends with:\nstarting");
  });
  test("and is gone: another one is made", async () => {
    const held = await taken(containers());
    const { only } = fake;
    fake.containers.delete(only.id);
    fake.end(only, 137);
    await expect.poll(() => fake.containers.size).toBe(1);
    await expect.poll(() => held.isUp()).toBe(true);
    expect(fake.only.id).not.toBe(only.id);
  });
  test.each([
    ["at once", undefined],
    ["when it has been seen to end, as by Podman", 200],
  ])(
    "not ended but hanging: three looks without an answer, and it is killed, which is answered %s, and started again",
    async (_when, seenAfterMs) => {
      fake.killSeenAfterMs = seenAfterMs;
      const held = await taken(containers());
      model.isReady = false;
      for (let i = 0; i < 3; i++) {
        await later(5000);
        await expect.poll(() => model.requests.length).toBeGreaterThan(0);
        model.requests.length = 0;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await expect.poll(() => fake.count("POST /containers/{id}/kill")).toBe(1);
      model.isReady = true;
      await expect.poll(() => held.isUp()).toBe(true);
      expect(troubles.at(-1)).toContain("it hung: GET /v2/health/ready was answered with status 503, 3 looks in a row");
      expect(troubles.join("\n")).not.toContain("it was killed");
      expect(fake.count("POST /containers/{id}/start")).toBe(3);
    },
  );
  test("while the engine's API is away goes unnoticed no longer than it is away, and a healthy one is left alone", async () => {
    const held = await taken(containers());
    await fake.stop();
    await later(5000);
    await later(5000);
    expect(held.isUp()).toBe(true);
    await fake.listen();
    fake.end(fake.only, 1);
    await later(5000);
    await expect.poll(() => fake.count("POST /containers/{id}/start")).toBe(3);
  });
});

describe("when the server stops and starts", () => {
  test("containers stay, are taken over, and what no release needs is removed", async () => {
    const before = containers();
    await taken(before);
    await taken(before, { memory_mb: 100 });
    const [first] = fake.containers.keys();
    before.leave();
    const after = containers({}, false);
    const held = await taken(after);
    await after.booted();
    expect([...fake.containers.keys()]).toEqual([first]);
    expect(held.isUp()).toBe(true);
  });
  test("one that was left and doesn't answer any more is made anew", async () => {
    const before = containers();
    await taken(before);
    before.leave();
    fake.end(fake.only, 1);
    const [first] = fake.containers.keys();
    await taken(containers());
    expect([...fake.containers.keys()]).not.toContain(first);
    expect(fake.containers.size).toBe(1);
  });
  test("another server's containers at the same engine are left alone", async () => {
    const id = "theirs";
    const body = { Labels: { "dev.evenkeel.managed": "true", "dev.evenkeel.instance": "another" } };
    fake.containers.set(id, { id, name: "x", body, isRunning: true, exitCode: 0, log: [] });
    await containers({}, false).booted();
    expect(fake.containers.has(id)).toBe(true);
  });
  test("the start isn't held up by a container that takes its time", async () => {
    model.isReady = false;
    const pool = containers({}, false);
    expect(await refusal(pool, { start_timeout_ms: 60_000 })).toMatchObject([{ got: expect.stringContaining("still starting") }]);
    const tidied = pool.booted();
    model.isReady = true;
    expect((await taken(pool, { start_timeout_ms: 60_000 })).isUp()).toBe(true);
    await tidied;
    expect(fake.containers.size).toBe(1);
    expect(fake.count("POST /containers/create")).toBe(2);
  }, 20_000);
});

test("logs are those of the scorer's container", async () => {
  const pool = containers();
  await taken(pool);
  expect(await pool.logs(spec(), 10, 0)).toEqual([{ stream: "stdout", at: "2026-11-30T12:00:00Z", text: "starting" }]);
  expect(await pool.logs(spec({ pids: 8 }), 10, 0)).toBeUndefined();
});

test("a field that is wrong is told by its name", () => {
  const value = { kind: "container", image: IMAGE, port: 80, protocol: "oip", model: "credit", pidz: 3 };
  expect(checked(ScorerSpec)(value)).toMatchObject({
    ok: false,
    error: [
      { path: "/pidz", hint: 'did you mean "pids"?' },
      { path: "/port", expected: ">= 1024" },
    ],
  });
});

/** Written here as the product would read it. */
function asSpec(value: object): ContainerScorerSpec {
  return value as ContainerScorerSpec;
}
function asReleaseId(text: string): ReleaseId {
  return text as ReleaseId;
}
