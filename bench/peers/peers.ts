/**
 * The other model servers: how each is started, asked and read, as its own documentation recommends for production on one machine.
 * All get the same row (23 numbers) and give the same score, in their own forms. Nothing is written here that would slow one down: no
 * access logs, no metrics that aren't there by default, arrays where the server takes them.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const PEERS = ["fastapi", "mlflow", "bentoml", "mlserver", "litserve"] as const;
export type PeerName = (typeof PEERS)[number];

export interface ServeOrder {
  /** The folder of the environment's programs. */
  readonly bin: string;
  /** The model as scikit-learn's users keep it. */
  readonly model: string;
  readonly features: readonly string[];
  readonly port: number;
  /** As many as there are cores for the server. */
  readonly workers: number;
  readonly variant: string;
  /** New and empty, of this start alone. */
  readonly folder: string;
  /** Of two further ports that nobody listens on, for servers that want more than one. */
  readonly sparePorts: readonly [number, number];
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Peer {
  readonly title: string;
  /** Whose versions the report names, besides scikit-learn, numpy and Python. */
  readonly packages: readonly string[];
  /** Ways to set it up that its documentation offers; the one that answers most requests is measured. */
  readonly variants: readonly [string, ...string[]];
  /** Whether the answer is kept, as it was measured. */
  readonly logged: string;
  readonly path: string;
  body(row: readonly number[], features: readonly string[]): unknown;
  /** Where the score is in the answer. */
  readonly score: readonly (string | number)[];
  command(order: ServeOrder): Command;
}

const listenAt = (port: number) => ["--host", "127.0.0.1", "--port", String(port)];

const python = (name: string) => fileURLToPath(new URL(`python/${name}`, import.meta.url));

/** What the servers' own files read, and one thread for linear algebra: a row of 23 numbers is too short to share out. */
const environmentOf = ({ model, features, workers, variant }: ServeOrder) => ({
  PEER_MODEL: model,
  PEER_FEATURES: features.join(","),
  PEER_WORKERS: String(workers),
  PEER_VARIANT: variant,
  OMP_NUM_THREADS: "1",
  OPENBLAS_NUM_THREADS: "1",
  PYTHONPATH: python("."),
  PYTHONDONTWRITEBYTECODE: "1",
});

export const peers = {
  fastapi: {
    title: "FastAPI",
    packages: ["fastapi", "uvicorn", "pydantic"],
    variants: ["def", "async def"],
    logged: "no",
    path: "/predict",
    body: (row, features) => Object.fromEntries(features.map((name, i) => [name, row[i]])),
    score: ["score"],
    command: (order) => ({
      program: join(order.bin, "uvicorn"),
      args: [
        "fastapi_app:app",
        ...listenAt(order.port),
        "--log-level=warning",
        "--no-access-log",
        ...(order.workers > 1 ? ["--workers", String(order.workers)] : []),
      ],
      env: environmentOf(order),
    }),
  },
  mlflow: {
    title: "mlflow models serve",
    packages: ["mlflow", "uvicorn"],
    variants: ["tensor signature"],
    logged: "no",
    path: "/invocations",
    body: (row) => ({ inputs: [row] }),
    score: ["predictions", 0, 1],
    command(order) {
      const kept = join(order.folder, "model");
      const made = spawnSync(join(order.bin, "python"), [python("mlflow_model.py"), order.model, String(order.features.length), kept], {
        encoding: "utf8",
        timeout: 120_000,
      });
      if (made.status !== 0) throw new Error(`MLflow doesn't take the model: ${made.stderr.trim().split("\n").at(-1)}`);
      const args = ["models", "serve", "-m", kept, "--env-manager", "local", ...listenAt(order.port)];
      return {
        program: join(order.bin, "mlflow"),
        args: [...args, "--workers", String(order.workers)],
        // MLflow starts `uvicorn` by its name.
        env: { ...environmentOf(order), PATH: `${order.bin}:${process.env["PATH"] ?? ""}` },
      };
    },
  },
  bentoml: {
    title: "BentoML",
    packages: ["bentoml", "uvicorn"],
    variants: ["def", "async def", "adaptive batching"],
    logged: "no (monitoring is off by default)",
    path: "/predict",
    body: (row) => ({ rows: [row] }),
    score: [0],
    command: (order) => ({
      program: join(order.bin, "bentoml"),
      args: ["serve", "bentoml_service:Credit", "--working-dir", python("."), ...listenAt(order.port)],
      env: { ...environmentOf(order), BENTOML_DO_NOT_TRACK: "True", BENTOML_HOME: order.folder },
    }),
  },
  mlserver: {
    title: "MLServer",
    packages: ["mlserver", "mlserver-sklearn", "uvicorn"],
    variants: ["in process", "in process, adaptive batching", "parallel workers", "parallel workers, adaptive batching"],
    logged: "no",
    path: "/v2/models/credit/infer",
    body: (row) => ({
      inputs: [{ name: "predict", shape: [1, row.length], datatype: "FP64", data: row, parameters: { content_type: "np" } }],
      outputs: [{ name: "predict_proba" }],
    }),
    score: ["outputs", 0, "data", 1],
    command(order) {
      const [grpc, metrics] = order.sparePorts;
      const settings = {
        debug: false,
        host: "127.0.0.1",
        http_port: order.port,
        grpc_port: grpc,
        metrics_port: metrics,
        metrics_dir: join(order.folder, "metrics"), // or it leaves one where it was started
        parallel_workers: order.variant.startsWith("in process") ? 0 : order.workers,
      };
      const model = {
        name: "credit",
        implementation: "mlserver_sklearn.SKLearnModel",
        parameters: { uri: "./model.joblib", version: "1" },
        ...(order.variant.includes("batching") ? { max_batch_size: 64, max_batch_time: 0.005 } : {}),
      };
      const folder = join(order.folder, "credit");
      mkdirSync(folder);
      symlinkSync(order.model, join(folder, "model.joblib"));
      writeFileSync(join(order.folder, "settings.json"), JSON.stringify(settings));
      writeFileSync(join(folder, "model-settings.json"), JSON.stringify(model));
      return { program: join(order.bin, "mlserver"), args: ["start", order.folder], env: environmentOf(order) };
    },
  },
  litserve: {
    title: "LitServe",
    packages: ["litserve", "uvicorn"],
    variants: ["one by one", "batching", "batching, fast queue"],
    logged: "no",
    path: "/predict",
    body: (row) => ({ features: row }),
    score: ["score"],
    command: (order) => ({
      program: join(order.bin, "python"),
      args: [python("litserve_server.py"), String(order.port)],
      env: environmentOf(order),
    }),
  },
} as const satisfies Record<PeerName, Peer>;

/** The number at a place in an answer; undefined when there is none. */
export function scoreAt(answer: unknown, path: readonly (string | number)[]): number | undefined {
  let value = answer;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Object.getOwnPropertyDescriptor(value, key)?.value;
  }
  return typeof value === "number" ? value : undefined;
}
