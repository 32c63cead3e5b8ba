/**
 * `npm run try-package`: is the package complete? Packs it, installs the file into an empty folder outside the repository, and does there what a
 * newcomer does: starts the server, applies an endpoint, asks for a decision, opens the page, imports the client with its types, stops.
 * `-- --node 22,24,26` with these Nodes (default: the one that runs this) · `-- --keep` leaves the folder
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { logisticModel } from "../test/fixtures/onnx-models.ts";
import { mustRun, nodeOfMajor, ROOT } from "./programs.ts";

const { values } = parseArgs({ options: { node: { type: "string" }, keep: { type: "boolean" } } });
const majors = (values.node ?? process.versions.node.split(".")[0] ?? "").split(",").map(Number);

const STARTS_WITHIN_MS = 30_000;
const STOPS_WITHIN_MS = 30_000;

/** What a program of a user's own looks like. Its types are checked first, then it runs. */
const PROGRAM = `import { EvenkeelClient, EvenkeelProblem, type DecisionReplyView, type EndpointView } from "evenkeel";

const [url = "", token = "", application = "", body = "{}"] = process.argv.slice(2);
const web = new EvenkeelClient({ url, token: application });
const reply: DecisionReplyView = await web.post<DecisionReplyView>("/v1/endpoints/loans/decisions", JSON.parse(body));
// @ts-expect-error -- types are there: an action is no number
const wrong: number = reply.action;
try {
  await web.post("/v1/endpoints/loans/decisions", { inputs: {} });
} catch (error) {
  if (!(error instanceof EvenkeelProblem) || error.problem.status !== 400) throw error;
}
const people = new EvenkeelClient({ url, token });
const { route } = await people.get<EndpointView>("/v1/endpoints/loans");
console.log(String(wrong), "by", route.live);
await web.close();
await people.close();
`;

const say = (what: string) => console.log(`ok  ${what}`);
const folder = mkdtempSync(join(tmpdir(), "evenkeel-package-"));
try {
  const tarball = pack();
  install(tarball);
  checkTypes();
  for (const major of majors) await tryWith(major);
  console.log(`the package runs on its own with Node ${majors.join(", ")}`);
} finally {
  if (values.keep) console.log(`kept: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}

function pack(): string {
  const printed = mustRun("npm", ["pack", "--json", "--silent", "--pack-destination", folder]);
  // `prepare` builds first and may say something before the JSON begins.
  const [packed] = asPacked(JSON.parse(printed.slice(printed.indexOf("[\n"))));
  if (!packed) throw new Error(`npm pack has packed nothing: ${printed}`);
  const stray = packed.files.map(({ path }) => path).filter((path) => /[.](test|suite)[.]/.test(path) || path.startsWith("src/"));
  if (stray.length > 0) throw new Error(`these don't belong into the package: ${stray.join(", ")}`);
  say(`packed ${packed.filename}: ${packed.files.length} files, ${Math.round(packed.size / 1024)} kB`);
  return join(folder, packed.filename);
}

function install(tarball: string): void {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "newcomer", private: true, type: "module" }));
  // No package that we depend on needs its install script; onnxruntime-node's would fetch CUDA libraries.
  mustRun("npm", ["install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", tarball], { cwd: folder });
  const help = mustRun("npx", ["--no", "evenkeel", "--", "--help"], { cwd: folder });
  if (!help.includes("usage: evenkeel")) throw new Error(`evenkeel --help says: ${help}`);
  say("installed in an empty folder; npx evenkeel --help answers");
}

function checkTypes(): void {
  writeFileSync(join(folder, "program.ts"), PROGRAM);
  const options = ["--strict", "--noEmitOnError", "--skipLibCheck", "false", "--target", "es2022", "--types", "node"];
  mustRun(join(ROOT, "node_modules/.bin/tsc"), [...options, "--module", "nodenext", "program.ts"], { cwd: folder });
  say("the client's types check, with every declaration that they rest on");
}

/** The smallest endpoint that a model can answer: sigmoid(2 · income - 4). */
function writeModel(): void {
  const policy = {
    bands: [
      { action: "deny", from: 0 },
      { action: "approve", from: 0.5 },
    ],
  };
  const rule = { name: "rule", scorer: { kind: "rules", rules: [], otherwise: { score: 0.5 } }, policy };
  const inputs = { income: { type: "number" } };
  const endpoint = {
    kind: "endpoint",
    name: "small",
    inputs,
    actions: { approve: { favourable: true }, deny: { favourable: false } },
    fallback: rule,
  };
  writeFileSync(join(folder, "small.json"), JSON.stringify(endpoint));
  const features = { name: "small", features: [{ name: "income", from: "income" }] };
  writeFileSync(join(folder, "features.json"), JSON.stringify(features));
  writeFileSync(join(folder, "policy.json"), JSON.stringify(policy));
  writeFileSync(join(folder, "model.onnx"), logisticModel([2], -4));
}

async function tryWith(major: number): Promise<void> {
  const node = nodeOfMajor(major);
  if (!node) throw new Error(`Node ${major} can't be had`);
  const version = mustRun(node, ["--version"]).trim();
  const data = join(folder, `data-${major}`);
  const binary = join(folder, "node_modules/evenkeel/bin/evenkeel.cjs");
  const example = (name: string) => join(folder, "node_modules/evenkeel/examples/loans", name);
  const evenkeel = (...args: string[]) => mustRun(node, [binary, ...args, "--data", data, "--json"], { cwd: folder });
  const server = spawn(node, [binary, "up", "--data", data, "--port", "0", "--json"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => server.on("close", resolve));
  try {
    const { url, token } = asStarted(JSON.parse(await firstLine(server)));
    say(`${version}: up`);
    evenkeel("apply", "-f", example("loans.yaml"));
    const application = asToken(JSON.parse(evenkeel("token", "create", "--name", "web", "--role", "application"))).token;
    const decided = mustRun(node, [binary, "decide", "loans", "--file", example("application.json"), "--url", url, "--token", application]);
    say(`${version}: applied, decided: ${decided.trim().split("\n")[0]}`);
    writeModel();
    evenkeel("apply", "-f", "small.json");
    evenkeel("models", "register", "model.onnx", "--name", "small", "--features", "features.json");
    evenkeel(
      "deploy",
      "small",
      "--model",
      "small/1",
      "--features",
      "features.json",
      "--policy",
      "policy.json",
      "--as",
      "live",
      "--reason",
      "first",
    );
    const scored = mustRun(node, [binary, "decide", "small", "--input", "income=3", "--url", url, "--token", application]);
    if (!scored.includes("score 0.881")) throw new Error(`sigmoid(3 · 2 - 4) is 0.881, not: ${scored}`);
    say(`${version}: an ONNX model answers: ${scored.trim()}`);
    const page = await fetch(url);
    const html = await page.text();
    const script = /src="([^"]+[.]js)"/.exec(html)?.[1];
    if (!page.headers.get("content-type")?.startsWith("text/html") || !script) throw new Error(`/ is no page: ${html.slice(0, 200)}`);
    const loaded = await fetch(new URL(script, url));
    if (loaded.status !== 200) throw new Error(`${script} answers ${loaded.status}`);
    say(`${version}: / is HTML, its script is there`);
    const body = JSON.stringify({
      inputs: asApplication(JSON.parse(readFileSync(example("application.json"), "utf8"))).inputs,
      groups: {},
    });
    say(`${version}: the client says ${mustRun(node, ["program.js", url, token, application, body], { cwd: folder }).trim()}`);
    server.kill("SIGTERM");
    const timer = setTimeout(() => server.kill("SIGKILL"), STOPS_WITHIN_MS);
    const exitCode = await ended;
    clearTimeout(timer);
    if (exitCode !== 0) throw new Error(`the server ended with ${exitCode ?? "a signal"}, not 0`);
    say(`${version}: stopped`);
  } finally {
    server.kill("SIGKILL");
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the server said nothing for ${STARTS_WITHIN_MS} ms`)), STARTS_WITHIN_MS);
    child.on("exit", (code) => reject(new Error(`the server ended with exit code ${code ?? "none"}`)));
    if (child.stdout) createInterface({ input: child.stdout }).once("line", (line) => (clearTimeout(timer), resolve(line)));
  });
}

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}
/** What `npm pack --json` prints. */
function asPacked(value: unknown): readonly Packed[] {
  return value as readonly Packed[];
}
/** What `evenkeel up --json` prints on the first start. */
function asStarted(value: unknown): { readonly url: string; readonly token: string } {
  return value as { url: string; token: string };
}
/** What `evenkeel token create --json` prints. */
function asToken(value: unknown): { readonly token: string } {
  return value as { token: string };
}
/** The form of `application.json`. */
function asApplication(value: unknown): { readonly inputs: unknown } {
  return value as { inputs: unknown };
}
