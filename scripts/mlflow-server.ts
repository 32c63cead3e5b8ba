/** MLflow's own server with SQLite, to be recorded and measured against. */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";

export interface MlflowServer {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

const STARTS_WITHIN_MS = 120_000;

/** @param bin - the programs of a Python environment with mlflow @param folder - for its database and files */
export async function mlflowServer(bin: string, folder: string): Promise<MlflowServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(
    join(bin, "mlflow"),
    `server --host 127.0.0.1 --port ${port} --workers 1`
      .split(" ")
      .concat(["--backend-store-uri", `sqlite:///${join(folder, "mlflow.db")}`, "--artifacts-destination", join(folder, "artifacts")]),
    { stdio: "ignore", detached: true, env: { PATH: `${bin}:${process.env["PATH"] ?? ""}`, HOME: folder } },
  );
  const ended = new Promise<void>((resolve) => void child.once("exit", () => resolve()));
  const stop = async () => {
    // Its workers are processes of its group.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGTERM");
    await ended;
  };
  const untilMs = performance.now() + STARTS_WITHIN_MS;
  while (performance.now() < untilMs && child.exitCode === null) {
    const isUp = await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false, // not yet
    );
    if (isUp) return { url, stop };
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  await stop();
  throw new Error(`mlflow server didn't answer within ${STARTS_WITHIN_MS / 1000} s`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}
