/** The people that all servers are asked about, and the models that all of them serve. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { COLUMNS, educationOf, hasRepaid, sexOf, type Client } from "../../examples/loans/clients.ts";
import { loadClients, split } from "../../examples/loans/data.ts";

export const MODELS = { logistic: "logistic regression", forest: "random forest" } as const;
export type ModelKind = keyof typeof MODELS;
export const MODEL_KINDS: readonly ModelKind[] = ["logistic", "forest"];

/** The 23 of the source: all columns but the key and what came of it. */
export const FEATURES = COLUMNS.filter((column) => column !== "id" && column !== "default_payment_next_month");

export interface Row {
  readonly features: readonly number[];
  readonly groups: Readonly<Record<string, string>>;
}

export interface Task {
  readonly rows: readonly Row[];
  /** What scikit-learn itself gives the first rows, by model. */
  readonly scores: Readonly<Record<ModelKind, readonly number[]>>;
  /** Files by model. */
  readonly joblib: Readonly<Record<ModelKind, string>>;
  readonly onnx: Readonly<Record<ModelKind, string>>;
}

const SEED = 7;
/** Rows whose scores every server must give before it is measured. */
const CHECKED_ROWS = 64;

/** Trains both models on one half of the clients; the other half are the rows. */
export function makeTask(bin: string, folder: string): Task {
  mkdirSync(folder, { recursive: true });
  const { training, serving } = split(loadClients(), SEED);
  const numbers = (client: Client) => FEATURES.map((name) => client[name]);
  const write = (name: string, header: readonly string[], lines: readonly (readonly number[])[]) => {
    writeFileSync(join(folder, name), [header, ...lines].map((line) => line.join(",")).join("\n"));
    return join(folder, name);
  };
  const table = write(
    "training.csv",
    [...FEATURES, "repaid"],
    training.map((client) => [...numbers(client), hasRepaid(client) ? 1 : 0]),
  );
  const checked = write("rows.csv", FEATURES, serving.slice(0, CHECKED_ROWS).map(numbers));
  const train = fileURLToPath(new URL("python/train.py", import.meta.url));
  const trained = spawnSync(join(bin, "python"), [train, table, checked, folder], { encoding: "utf8", timeout: 300_000 });
  if (trained.status !== 0) throw new Error(`the models can't be trained: ${trained.stderr.trim().split("\n").at(-1)}`);
  const file = (suffix: string) => ({ logistic: join(folder, `logistic.${suffix}`), forest: join(folder, `forest.${suffix}`) });
  return {
    rows: serving.map((client) => ({ features: numbers(client), groups: { sex: sexOf(client), education: educationOf(client) } })),
    scores: asScores(JSON.parse(readFileSync(join(folder, "scores.json"), "utf8"))),
    joblib: file("joblib"),
    onnx: file("onnx"),
  };
}

/** What `train.py` writes. */
const asScores = (value: unknown): Task["scores"] => value as Task["scores"];
