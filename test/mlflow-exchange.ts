/** A recording of MLflow's client and MLflow's own server, made by compat/record-mlflow.ts. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export type RecordedBody = { readonly json: unknown } | { readonly base64: string };
export interface Exchange {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly type?: string;
  readonly body?: RecordedBody;
  readonly answer: { readonly status: number; readonly body?: RecordedBody };
}

export function recordedExchanges(): readonly Exchange[] {
  const file = fileURLToPath(new URL("fixtures/mlflow-exchange.json", import.meta.url));
  return asRecording(JSON.parse(readFileSync(file, "utf8"))).exchanges;
}
/** The recorder writes nothing else. */
const asRecording = (value: unknown) => value as { readonly exchanges: readonly Exchange[] };
