/**
 * `node compat/record-mlflow.ts`: records what MLflow's client (recorded.py) and MLflow's own server say to each other, as
 * `test/fixtures/mlflow-exchange.json`. `npm test` replays it against ours without Python.
 */
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as ask, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mlflowServer } from "../scripts/mlflow-server.ts";
import { pythonEnvironment } from "../scripts/python-environment.ts";
import type { Exchange, RecordedBody } from "../test/mlflow-exchange.ts";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const environment = pythonEnvironment({
  requirements: here("mlflow-requirements.txt"),
  root: tmpdir(),
  name: "evenkeel-compat-mlflow",
  installWithinMs: 600_000,
});
if (!environment.ok) throw new Error(environment.error);
const { bin } = environment.value;
const folder = mkdtempSync(join(tmpdir(), "evenkeel-record-"));
const server = await mlflowServer(bin, folder);
const exchanges: Exchange[] = [];

const bytesOf = async (message: IncomingMessage): Promise<Buffer> => {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
};
function recorded(type: string | undefined, bytes: Buffer): RecordedBody | undefined {
  if (bytes.length === 0) return undefined;
  return type?.startsWith("application/json") ? { json: JSON.parse(bytes.toString()) as unknown } : { base64: bytes.toString("base64") };
}

const proxy = createServer((incoming, outgoing) => {
  void (async () => {
    const body = await bytesOf(incoming);
    const { method = "GET", url = "/", headers } = incoming;
    const passed = ask(
      `${server.url}${url}`,
      { method, headers: { ...headers, host: new URL(server.url).host, "accept-encoding": "identity" } },
      (answer) => {
        void (async () => {
          const bytes = await bytesOf(answer);
          const status = answer.statusCode ?? 0;
          outgoing.writeHead(status, { "content-type": answer.headers["content-type"] ?? "text/plain" }).end(bytes);
          // Traces, telemetry and the like are not what this is about.
          if (!url.startsWith("/api/2.0/mlflow")) return;
          const sent = recorded(headers["content-type"], body);
          const got = recorded(answer.headers["content-type"], bytes);
          exchanges.push({
            method,
            url,
            ...(headers["content-type"] === undefined ? {} : { type: headers["content-type"] }),
            ...(sent ? { body: sent } : {}),
            answer: { status, ...(got ? { body: got } : {}) },
          });
        })();
      },
    );
    passed.end(body);
  })();
});
await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
const address = proxy.address();
const port = typeof address === "object" && address ? address.port : 0;
// Away from here, or the recording would name this folder and its commit.
copyFileSync(here("recorded.py"), join(folder, "train.py"));
const client = spawn(join(bin, "python"), ["train.py"], {
  stdio: "inherit",
  cwd: folder,
  env: {
    PATH: process.env["PATH"] ?? "",
    HOME: folder,
    USER: "ana",
    LOGNAME: "ana",
    MLFLOW_TRACKING_URI: `http://127.0.0.1:${port}`,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES: "0",
    MLFLOW_DISABLE_TELEMETRY: "true",
  },
});
const code = await new Promise<number | null>((resolve) => void client.on("close", resolve));
proxy.close();
await server.stop();
rmSync(folder, { recursive: true, force: true });
if (code !== 0) throw new Error(`the client ended with ${code}`);
writeFileSync(here("../test/fixtures/mlflow-exchange.json"), `${JSON.stringify({ mlflow: "3.17.2", exchanges }, null, 1)}\n`);
console.log(`${exchanges.length} exchanges`);
