/** Traces: off, what a caller sends goes along to model servers; on, each request for a decision is a span with its parts, sent by OTLP. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { openTracing, type Tracing } from "../src/open-telemetry.ts";
import type { EvenkeelClient } from "../src/client.ts";
import { ModelServer } from "./fixtures/model-server.ts";
import { OtlpReceiver, type ReceivedSpan } from "./fixtures/otlp-receiver.ts";
import { endpoint } from "./lender.ts";
import { said } from "./said.ts";
import { freshServer, type FreshServer } from "./server.ts";
import { applied } from "./sinks.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const LOANS = "/v1/endpoints/loans";

let models: ModelServer;
beforeAll(async () => {
  models = await new ModelServer().listen();
});
afterAll(() => models.close());

/** A lender whose live release is behind a model server. */
async function lending(options: Parameters<typeof freshServer>[0] = {}): Promise<FreshServer & { readonly application: EvenkeelClient }> {
  const server = await freshServer({ egress: { allow: [`127.0.0.1:${models.port}`] }, ...options });
  await applied(server.admin, JSON.stringify({ ...endpoint, guardrails: [] }));
  await server.admin.post(`${LOANS}/releases`, {
    endpoint: "loans",
    name: "behind a server",
    scorer: { kind: "http", protocol: "mlflow", url: models.url, send: "inputs" },
    policy: {
      bands: [
        { action: "deny", from: 0 },
        { action: "approve", from: 0.5 },
      ],
    },
  });
  await server.admin.post(`${LOANS}/promote`, { release: "r2", reason: "live" });
  models.requests.length = 0;
  return { ...server, application: await server.as("application") };
}
const body = (income: number) => ({
  inputs: { income, education: "university" },
  groups: { education: "university" },
  subject: "ada lovelace",
});
const tracesAsked = () =>
  models.requests.filter(({ rows }) => rows > 0).map(({ headers }) => [headers["traceparent"], headers["tracestate"]]);

describe("without traces", () => {
  let server: Awaited<ReturnType<typeof lending>>;
  beforeAll(async () => {
    server = await lending();
  });
  afterAll(() => server.drop());
  afterEach(() => void (models.requests.length = 0));

  test("a model server gets the very context that the caller sent, and none from one who sent none, or nonsense", async () => {
    const traceparent = `00-${TRACE}-${PARENT}-01`;
    const ask = (headers: Readonly<Record<string, string>>) => server.application.post(`${LOANS}/decisions`, body(70), { headers });
    await ask({ traceparent, tracestate: "a=1" });
    await ask({});
    await ask({ traceparent: "nonsense", tracestate: "a=1" });
    expect(tracesAsked()).toEqual([
      [traceparent, "a=1"],
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });

  test("clients of inference protocols carry theirs too", async () => {
    const traceparent = `00-${TRACE}-${PARENT}-00`;
    const row = { income: 70, education: "university", "group.education": "university" };
    const answer = await fetch(`${server.url}/endpoints/loans/invocations`, {
      method: "POST",
      headers: { authorization: `Bearer ${await server.token("application")}`, "content-type": "application/json", traceparent },
      body: JSON.stringify({ dataframe_records: [row] }),
    });
    expect([answer.status, tracesAsked()]).toEqual([200, [[traceparent, undefined]]]);
  });
});

describe("with traces", () => {
  let receiver: OtlpReceiver;
  let tracing: Tracing;
  let server: Awaited<ReturnType<typeof lending>>;
  const troubles: Error[] = [];
  beforeAll(async () => {
    receiver = await new OtlpReceiver().listen();
    vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url);
    vi.stubEnv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=lending");
    tracing = openTracing({
      version: "0",
      sampler: { kind: "always_on", ratio: 1, isParentBased: true },
      batch: { scheduledDelayMillis: 50 },
      onTrouble: (error) => void troubles.push(error),
      nowMs: () => performance.now(),
    });
    server = await lending({ tracer: tracing.tracer });
  });
  afterAll(async () => {
    await server.drop();
    await tracing.close();
    await receiver.close();
    vi.unstubAllEnvs();
  });
  afterEach(() => {
    models.requests.length = 0;
    receiver.spans.length = 0;
    receiver.refuses = null;
  });
  const received = async (count: number): Promise<ReadonlyMap<string, ReceivedSpan>> => {
    await expect.poll(() => receiver.spans.length).toBe(count);
    return new Map(receiver.spans.map((span) => [span.name, span]));
  };

  test("a decision is a span under the caller's, with its scoring and its commit below; the model server is told of the scoring", async () => {
    await server.application.post(`${LOANS}/decisions`, body(70), {
      headers: { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: "a=1" },
    });
    const spans = await received(3);
    const request = spans.get("POST /v1/endpoints/:endpoint/decisions");
    const [score, commit] = [spans.get("score"), spans.get("commit")];
    expect(request).toMatchObject({ traceId: TRACE, parentId: PARENT, kind: 2, status: 0 });
    expect(request?.attributes).toEqual({
      "http.request.method": "POST",
      "http.route": "/v1/endpoints/:endpoint/decisions",
      "url.path": `${LOANS}/decisions`,
      "url.scheme": "http",
      "http.response.status_code": 200,
      "evenkeel.endpoint": "loans",
      "evenkeel.generation": 4,
      "evenkeel.route": "live",
      "evenkeel.action": "approve",
    });
    for (const part of [score, commit]) {
      expect(part).toMatchObject({ traceId: TRACE, parentId: request?.spanId });
      expect((part?.startNs ?? 0n) >= (request?.startNs ?? 0n) && (part?.endNs ?? 0n) <= (request?.endNs ?? 0n)).toBe(true);
    }
    expect(score).toMatchObject({ kind: 3, attributes: { "evenkeel.release": "r2", "evenkeel.scorer.type": "http" } });
    expect(tracesAsked()).toEqual([[`00-${TRACE}-${score?.spanId}-01`, "a=1"]]);
    expect(request?.resource).toMatchObject({ "service.name": "evenkeel", "service.version": "0" });
    expect([...receiver.paths]).toEqual(["POST /v1/traces application/x-protobuf"]);
    expect(receiver.headers.get("x-tenant")).toBe("lending");
  });

  test("nothing about the person is in it", async () => {
    await server.application.post(`${LOANS}/decisions?reasons=true`, body(12.345));
    await received(3);
    const text = JSON.stringify(receiver.spans, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
    expect(text).not.toMatch(/12\.345|university|education|lovelace|reasons=/);
  });

  test("a model that fails, and who stands in for it, are told", async () => {
    models.fault = "status 500";
    await server.application.post(`${LOANS}/decisions`, body(70));
    models.fault = null;
    await expect.poll(() => receiver.spans.length).toBe(4);
    const scores = receiver.spans.filter(({ name }) => name === "score");
    expect(scores.map(({ status, attributes }) => [status, attributes["evenkeel.release"], attributes["error.type"]])).toEqual([
      [2, "r2", "failed"],
      [0, "r1", undefined],
    ]);
    expect(receiver.spans.find(({ kind }) => kind === 2)?.attributes).toMatchObject({
      "evenkeel.route": "fallback",
      "evenkeel.fallback": true,
    });
  });

  test("who says that a request isn't sampled is heard, and a request that is refused is a span without parts", async () => {
    await server.application.post(`${LOANS}/decisions`, body(70), { headers: { traceparent: `00-${TRACE}-${PARENT}-00` } });
    expect(tracesAsked().map(([traceparent = ""]) => traceparent)).toEqual([expect.stringMatching(new RegExp(`^00-${TRACE}-\\w{16}-00$`))]);
    await expect(server.application.post(`${LOANS}/decisions`, { inputs: {} })).rejects.toThrow(/./);
    const [span] = (await received(1)).values();
    expect(span).toMatchObject({ status: 0, attributes: { "http.response.status_code": 400 } });
  });

  test("a receiver that takes nothing delays nobody, and is told of once", async () => {
    receiver.refuses = 400;
    for (let i = 0; i < 3; i++) await server.application.post(`${LOANS}/decisions`, body(70));
    await expect.poll(() => troubles.map(({ message }) => message)).toEqual([expect.stringMatching(/^traces don't arrive: [^{]*$/)]);
  });
});

describe("the server's command", () => {
  const up = (env: Readonly<Record<string, string>>) => said(["up", "--port", "0"], env, tmpdir());
  test.each([
    [{ OTEL_TRACES_EXPORTER: "zipkin" }, "OTEL_TRACES_EXPORTER takes otlp or none"],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }, "OTEL_EXPORTER_OTLP_ENDPOINT takes an address such as http://127.0.0.1:4318"],
    [{ OTEL_TRACES_EXPORTER: "otlp", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, 'not as "grpc"'],
    [{ OTEL_TRACES_EXPORTER: "otlp", OTEL_TRACES_SAMPLER: "sometimes" }, "OTEL_TRACES_SAMPLER takes always_on"],
    [{ OTEL_TRACES_EXPORTER: "otlp", OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "7" }, "from 0 to 1"],
    [{ OTEL_TRACES_EXPORTER: "otlp", OTEL_BSP_SCHEDULE_DELAY: "soon" }, "OTEL_BSP_SCHEDULE_DELAY takes a number"],
  ])("refuses %j in words", async (env, words) => {
    const { code, err } = await up(env);
    expect([code, err]).toEqual([2, expect.stringContaining(words)]);
  });

  /** Starts the server, says what it loaded of OpenTelemetry once it is up, and stops it. */
  async function loaded(env: Readonly<Record<string, string>>): Promise<readonly string[]> {
    const folder = mkdtempSync(join(tmpdir(), "evenkeel-traces-"));
    const hook =
      "import{registerHooks}from'node:module';registerHooks({resolve(s,c,n){if(s.includes('telemetry'))console.error('loads '+s);return n(s,c)}})";
    const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
    const args = ["--import", `data:text/javascript,${encodeURIComponent(hook)}`, main, "up", "--data", folder, "--port", "0"];
    const child = spawn(process.execPath, args, { env: { ...process.env, ...env } });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => void (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => void (err += chunk.toString()));
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await expect.poll(() => out, { timeout: 60_000 }).toContain("Evenkeel is up");
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
    return [...err.matchAll(/^loads (.*)$/gm)].map(([, name = ""]) => name);
  }

  test("loads nothing of OpenTelemetry unless it is asked to", { timeout: 120_000 }, async () => {
    expect(await loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: "" })).toEqual([]);
    expect(await loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" })).toContain("@opentelemetry/api");
  });
});
