/**
 * `npm run compat`: unmodified Python clients of other model servers against the whole product. The clients come from the package index
 * into an environment of their own in the system's temporary folder, which later runs find there; where Python or the index can't be
 * had, the run says so and passes without having checked anything.  -- --require fails instead
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { pythonEnvironment } from "../scripts/python-environment.ts";
import { startApp } from "../src/app.ts";
import { EvenkeelClient } from "../src/client.ts";
import { vectorEndpoint } from "../test/protocol-server.ts";

const isRequired = process.argv.includes("--require");
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

function skip(why: string): never {
  console.log(`skipped: ${why}`);
  process.exit(isRequired ? 1 : 0);
}

/** The Python that has these packages. */
function pythonWith(requirements: string, name: string): string {
  const environment = pythonEnvironment({
    requirements: here(requirements),
    root: tmpdir(),
    name,
    installWithinMs: 300_000,
    onInstall: () => console.log("installing the clients …"),
  });
  return environment.ok ? join(environment.value.bin, "python") : skip(environment.error);
}

interface Said {
  readonly check?: string;
  readonly ok?: boolean;
  readonly error?: string;
  readonly trace?: string;
  readonly versions?: Readonly<Record<string, string>>;
}

/** Every line of a suite is one of these. */
const asSaid = (line: string): Said => JSON.parse(line) as Said;

const protocols = { python: pythonWith("requirements.txt", "evenkeel-compat"), script: "clients.py" };
const tracking = { python: pythonWith("mlflow-requirements.txt", "evenkeel-compat-mlflow"), script: "tracking.py" };
/** KServe's client wants a process of its own. */
const suites = [
  { ...protocols, args: [] },
  { ...protocols, args: ["kserve"] },
  { ...tracking, args: [] },
];
const TRACKED = {
  kind: "endpoint",
  name: "tracked",
  inputs: { income: { type: "number" }, debt: { type: "number" } },
  actions: { approve: { favourable: true }, deny: { favourable: false } },
  fallback: {
    scorer: { kind: "rules", rules: [], otherwise: { score: 0.3 } },
    policy: {
      bands: [
        { action: "deny", from: 0 },
        { action: "approve", from: 0.5 },
      ],
    },
  },
};
const folder = mkdtempSync(join(tmpdir(), "evenkeel-compat-data-"));
const app = await startApp({ folder, port: 0 });
const admin = new EvenkeelClient({ url: app.url, token: app.firstAdmin?.token ?? "" });
let [passed, failed] = [0, 0];
try {
  for (const endpoint of [vectorEndpoint, TRACKED]) await admin.post("/v1/apply", { yaml: stringify(endpoint) });
  const token = async (role: string) => (await admin.post<{ readonly token: string }>("/v1/tokens", { name: role, role })).token;
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    EVENKEEL_URL: app.url,
    EVENKEEL_APPLICATION_TOKEN: await token("application"),
    EVENKEEL_OPERATOR_TOKEN: await token("operator"),
    MLFLOW_HTTP_REQUEST_MAX_RETRIES: "0",
    MLFLOW_TRACKING_URI: app.url,
    MLFLOW_TRACKING_TOKEN: await token("trainer"),
  };
  for (const { python, script, args } of suites) {
    const child = spawn(python, [here(script), ...args], { env, stdio: ["ignore", "pipe", "inherit"], timeout: 300_000 });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    for await (const line of createInterface({ input: child.stdout })) {
      const { check, ok, error, trace, versions } = asSaid(line);
      if (versions && args.length === 0)
        console.log(
          Object.entries(versions)
            .map(([name, version]) => `${name} ${version}`)
            .join(", "),
        );
      if (check === undefined) continue;
      console.log(`${ok ? "ok  " : "FAIL"} ${check}${ok ? "" : `: ${error}\n${trace}`}`);
      if (ok) passed++;
      else failed++;
    }
    if ((await ended) !== 0) failed++;
  }
} finally {
  await admin.close();
  await app.stop();
  rmSync(folder, { recursive: true, force: true });
}
// A suite that has checked nothing has proved nothing.
if (passed === 0) failed++;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
