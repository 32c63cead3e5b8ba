/**
 * `npm run bench:peers`: the same two models behind Evenkeel, with every answer in its durable log, and behind other model servers from
 * Python's package index, asked about the same people by the same client. docs/benchmarks.md says how, and how to read it.
 */
import { spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { teller } from "../../examples/loans/teller.ts";
import { pythonEnvironment } from "../../scripts/python-environment.ts";
import type { Result } from "../../src/std.ts";
import { machine } from "../report.ts";
import { evenkeelContender, peerContender, type Contender } from "./contenders.ts";
import { bestOf, coresAllowed, measure, tryVariants, type Bench, type Cores } from "./measure.ts";
import { HELP, ROOT, parseOptions } from "./options.ts";
import { peers, type PeerName } from "./peers.ts";
import { MODELS, MODEL_KINDS, makeTask } from "./rows.ts";
import { Servers } from "./servers.ts";
import { PLACES, compare, print, type Figures, type Missing, type Place, type Report, type Trial } from "./table.ts";

const INSTALL_WITHIN_MS = 1_200_000;

const options = parseOptions(process.argv.slice(2));
if (!options.ok) {
  console.error(`bench:peers: ${options.error}`);
  process.exit(2);
}
if (options.value === "help") {
  console.log(HELP);
  process.exit(0);
}
const { only, durationMs, isJson } = options.value;
const tell = teller(process.stderr);
const folder = mkdtempSync(join(tmpdir(), "evenkeel-bench-peers-"));
const bench: Bench = { servers: new Servers(), clients: new Set<ChildProcess>(), folder, durationMs };
const clearUp = () => {
  bench.servers.kill();
  for (const client of bench.clients) client.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
};
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    clearUp();
    process.exit(130);
  });
try {
  const report = await compareAll();
  if (isJson) console.log(JSON.stringify({ machine: machine(), ...report, comparisons: compare(report.rows) }, null, 2));
  else print(report);
  process.exitCode = report.missing.some(({ isFailure }) => isFailure) ? 1 : 0;
} finally {
  clearUp();
}

async function compareAll(): Promise<Report> {
  const [rows, missing, trials]: [Figures[], Missing[], Trial[]] = [[], [], []];
  const versions: Record<string, string> = {};
  const report = { rows, missing, trials, versions, seconds: durationMs / 1000 };
  const training = environmentOf("training");
  if (!training.ok) {
    missing.push(...only.map((name) => absent(peers[name].title, `the models can't be trained: ${training.error}`)));
    return report;
  }
  versions["training"] = versionsIn(training.value.bin, ["scikit-learn", "skl2onnx", "numpy"]);
  tell.fact("training the models …");
  const task = makeTask(training.value.bin, join(folder, "task"));
  const contenders: Contender[] = [await evenkeelContender(task, folder)];
  for (const name of only) {
    const peer = peers[name];
    const environment = environmentOf(name);
    if (!environment.ok) missing.push(absent(peer.title, environment.error));
    else {
      versions[peer.title] = versionsIn(environment.value.bin, [...peer.packages, "scikit-learn", "numpy"]);
      contenders.push(peerContender(peer, environment.value.bin, task, folder));
    }
  }
  for (const model of MODEL_KINDS)
    for (const place of PLACES)
      for (const contender of contenders) {
        tell.fact(`${contender.title}, ${MODELS[model]}, ${place} …`);
        const cores = coresOf(place);
        const where = { kind: "missing", server: contender.title, model, place } as const;
        if (!cores.ok) {
          missing.push({ ...where, why: cores.error, isFailure: false });
          continue;
        }
        const order = { contender, model, place, cores: cores.value };
        try {
          const tried = await tryVariants(bench, order);
          trials.push(...tried);
          rows.push(...(await measure(bench, order, bestOf(contender, tried))));
        } catch (error) {
          missing.push({ ...where, why: error instanceof Error ? error.message : String(error), isFailure: true });
        }
      }
  return report;
}

function absent(server: string, why: string): Missing {
  return { kind: "missing", server, model: null, place: null, why, isFailure: false };
}

function environmentOf(name: PeerName | "training"): Result<{ readonly bin: string }, string> {
  return pythonEnvironment({
    requirements: fileURLToPath(new URL(`python/${name}.txt`, import.meta.url)),
    root: ROOT,
    name,
    installWithinMs: INSTALL_WITHIN_MS,
    onInstall: () => tell.fact(`installing ${name} …`),
  });
}

/** As they are installed, which is not always as they were asked for. */
function versionsIn(bin: string, packages: readonly string[]): string {
  const script = `import importlib.metadata as m, platform, sys
print(", ".join(["Python " + platform.python_version(), *(f"{name} {m.version(name)}" for name in sys.argv[1:])]))`;
  const said = spawnSync(join(bin, "python"), ["-c", script, ...packages], { encoding: "utf8", timeout: 60_000 });
  return said.status === 0 ? said.stdout.trim() : `versions unknown: ${said.stderr.trim().split("\n").at(-1)}`;
}

/** On one core the server has the first, and the client the last; on all cores they share them, as they would without a benchmark. */
function coresOf(place: Place): Result<Cores, string> {
  if (place === "all cores") return { ok: true, value: { server: null, client: null, count: availableParallelism() } };
  const cores = coresAllowed();
  const [first, last] = [cores.at(0), cores.at(-1)];
  if (first === undefined || last === undefined || first === last)
    return { ok: false, error: "there is no second core here for the client" };
  if (spawnSync("taskset", ["--version"]).status !== 0) return { ok: false, error: "there is no taskset here (Debian package util-linux)" };
  return { ok: true, value: { server: first, client: last, count: 1 } };
}
