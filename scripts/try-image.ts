/**
 * `npm run try-image`: is the image complete? Builds it, runs it as it is meant to be run (not root, nothing to write but its data), and does there
 * what an operator does: waits until it is healthy, has a rule and a model decide, reads its log and its figures, stops it under requests.
 * Needs Docker or Podman, and says so. `-- --keep` leaves the image.
 */
import { parseArgs } from "node:util";
import type { BlobView, NewTokenView } from "../src/api/index.ts";
import { EvenkeelClient, EvenkeelUnreachable } from "../src/client.ts";
import { logisticModel } from "../test/fixtures/onnx-models.ts";
import { mustRun, run, ROOT } from "./programs.ts";

const { values } = parseArgs({ options: { keep: { type: "boolean" } } });
const MOST_MB = 350;
const HEALTHY_WITHIN_MS = 60_000;
const BUILD_MS = 1_200_000;
const say = (what: string) => console.log(`ok  ${what}`);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const program = ["podman", "docker"].find((each) => run(each, ["info"]).exitCode === 0);
if (program === undefined) {
  console.log("skipped: the image is built and run where docker or podman answers");
  process.exit(0);
}
const isPodman = program === "podman";
const engine = (...args: readonly string[]) => mustRun(program, args, { timeoutMs: BUILD_MS }).trim();
const name = `evenkeel-try-${process.pid}`;
const image = `localhost/${name}`;
try {
  build();
  start();
  const url = `http://127.0.0.1:${/:(\d+)$/m.exec(engine("port", name, "7070/tcp"))?.[1] ?? ""}`;
  await healthy(url);
  isConfined();
  const { admin, application } = await clients(url);
  await decides(admin, application);
  await drains(application);
  again();
  console.log("the image runs on its own");
} finally {
  run(program, ["rm", "-f", "-v", name]);
  run(program, ["volume", "rm", name]);
  if (!values.keep) run(program, ["rmi", image]);
}

function build(): void {
  engine("build", ...(isPodman ? ["--format", "docker"] : []), "-t", image, ROOT);
  const mb = Number(engine("image", "inspect", "--format", "{{.Size}}", image)) / 1e6;
  if (!(mb < MOST_MB)) throw new Error(`the image has ${mb.toFixed(0)} MB, ${MOST_MB} are the most`);
  say(`built: ${mb.toFixed(0)} MB (the most: ${MOST_MB})`);
}

function start(): void {
  const confined = [
    "--read-only",
    ...(isPodman ? ["--read-only-tmpfs=false"] : []),
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
  ];
  const limits = ["--memory", "512m", "--pids-limit", "256"];
  engine("run", "-d", "--name", name, ...confined, ...limits, "-v", `${name}:/data`, "-p", "127.0.0.1::7070", image);
}

async function healthy(url: string): Promise<void> {
  const startedMs = performance.now();
  for (;;) {
    const state = isPodman
      ? run("podman", ["healthcheck", "run", name]).exitCode === 0 && "healthy" // Podman leaves the timing of checks to systemd
      : engine("inspect", "--format", "{{.State.Health.Status}}", name);
    if (state === "healthy") break;
    if (performance.now() - startedMs > HEALTHY_WITHIN_MS)
      throw new Error(`not healthy after a minute; it printed:\n${engine("logs", name)}`);
    await sleep(250);
  }
  const answers = await Promise.all(["live", "ready"].map((each) => fetch(`${url}/healthz/${each}`)));
  if (answers.some(({ ok }) => !ok))
    throw new Error(`the health check passes, and /healthz answers ${answers.map(({ status }) => status).join(", ")}`);
  say(`healthy ${((performance.now() - startedMs) / 1000).toFixed(1)} s after it was asked first`);
}

function isConfined(): void {
  const inside = (script: string) => run(program ?? "", ["exec", name, "node", "-e", script]).out.trim();
  const uid = inside("console.log(process.getuid())");
  const written = inside(
    `for (const path of ["/app/x", "/tmp/x", "/data/x"]) try { fs.writeFileSync(path, ""); console.log(path) } catch {}`,
  );
  if (uid !== "1000") throw new Error(`expected user 1000, it runs as ${uid}`);
  if (written !== "/data/x") throw new Error(`expected that only /data can be written, written were: ${written}`);
  if (!engine("exec", name, "evenkeel", "status").includes("no endpoint")) throw new Error("evenkeel status inside doesn't answer");
  say("runs as user 1000 and writes to /data only; the command line is inside");
}

async function clients(url: string): Promise<{ readonly admin: EvenkeelClient; readonly application: EvenkeelClient }> {
  const token = /ek_\w+/.exec(engine("logs", name))?.[0] ?? "";
  const admin = new EvenkeelClient({ url, token });
  const { token: lender } = await admin.post<NewTokenView>("/v1/tokens", { name: "lender", role: "application" });
  return { admin, application: new EvenkeelClient({ url, token: lender }) };
}

interface Reply {
  readonly route: string;
  readonly score: number;
}
function ask(application: EvenkeelClient): Promise<Reply> {
  return application.post<Reply>("/v1/endpoints/loans/decisions", { inputs: { income: 3 } });
}

/** The smallest endpoint that a model can answer: sigmoid(2 · income - 4). */
async function decides(admin: EvenkeelClient, application: EvenkeelClient): Promise<void> {
  const policy = {
    bands: [
      { action: "deny", from: 0 },
      { action: "approve", from: 0.5 },
    ],
  };
  const yaml = JSON.stringify({
    kind: "endpoint",
    name: "loans",
    inputs: { income: { type: "number" } },
    actions: { approve: { favourable: true }, deny: { favourable: false } },
    fallback: { scorer: { kind: "rules", rules: [], otherwise: { score: 0.5 } }, policy },
  });
  await admin.post("/v1/apply", { yaml });
  const byRule = await ask(application);
  const { id } = await admin.put<BlobView>("/v1/blobs", logisticModel([2], -4));
  const features = { name: "one", features: [{ name: "income", from: "income" }] };
  const { release } = await admin.post<{ readonly release: string }>("/v1/endpoints/loans/releases", {
    scorer: { kind: "onnx", model: id },
    features,
    policy,
  });
  await admin.post("/v1/endpoints/loans/promote", { release, reason: "try it" });
  const byModel = await ask(application);
  if (byRule.score !== 0.5 || Math.abs(byModel.score - 0.88) > 0.01) throw new Error(`scores ${byRule.score} and ${byModel.score}`);
  say(`a rule and a model decide: ${byRule.score}, ${byModel.score.toFixed(2)} by ${byModel.route}`);
}

/** Whoever is being answered when it is stopped gets the answer. */
async function drains(application: EvenkeelClient): Promise<void> {
  let isGone = false;
  let answered = 0;
  const asking = Array.from({ length: 8 }, async () => {
    while (!isGone) {
      try {
        await ask(application);
        answered++;
      } catch (error) {
        if (!(error instanceof EvenkeelUnreachable)) throw error;
        isGone = true;
      }
    }
  });
  await sleep(500);
  const stopping = mustRun(program ?? "", ["stop", "-t", "30", name]);
  isGone = true;
  await Promise.all(asking);
  await application.close();
  const exitCode = engine("inspect", "--format", "{{.State.ExitCode}}", name);
  if (exitCode !== "0") throw new Error(`stopped (${stopping.trim()}), it ended with exit code ${exitCode}:\n${engine("logs", name)}`);
  say(`stops under requests with exit code 0, ${answered} answered until then`);
}

function again(): void {
  engine("start", name);
  const status = () => run(program ?? "", ["exec", name, "evenkeel", "status", "loans"]);
  let told = status();
  for (let tries = 0; tries < 60 && !told.out.includes("r2"); tries++) told = status();
  if (!told.out.includes("r2")) throw new Error(`started again it says: ${told.out}${told.err}`);
  say("started again it has its data");
}
