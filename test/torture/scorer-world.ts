/** The real server in a process of its own with two releases that can break: one asks a model server, one has a scorer process. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { logisticModel } from "../fixtures/onnx-models.ts";
import { ModelServer } from "../fixtures/model-server.ts";
import type { NewTokenView } from "../../src/api/index.ts";
import { ENDPOINT, LOANS_YAML, limitOf } from "./applications.ts";
import { ServerProcess } from "./server-process.ts";

const POLICY = {
  bands: [
    { action: "deny", from: 0 },
    { action: "approve", from: 0.5 },
  ],
};

/** Releases by how they score; both decide as the releases of the same names elsewhere in this suite do. */
export const HTTP = "r2";
export const ONNX = "r3";
export type Breakable = typeof HTTP | typeof ONNX;

export interface ScorerWorld {
  readonly server: ServerProcess;
  readonly model: ModelServer;
  readonly folder: string;
  /** An application's. */
  readonly token: string;
  /** Puts one of the two in front; the other stands by, the income rule behind both. */
  lead(release: Breakable): Promise<void>;
  close(): Promise<void>;
}

/** @param scratch - becomes the data folder */
export async function openScorerWorld(scratch: string): Promise<ScorerWorld> {
  const model = await new ModelServer().listen();
  model.scoreOf = ([income]) => (Number(income) >= limitOf(HTTP) ? 0.9 : 0.1);
  const folder = join(scratch, "data");
  const server = await ServerProcess.start({ folder, env: { EVENKEEL_ALLOW_EGRESS: `127.0.0.1:${model.port}` } });
  const { control } = server;
  await control.post("/v1/apply", { yaml: LOANS_YAML });
  const post = (verb: string, body: object) => control.post(`/v1/endpoints/${ENDPOINT}/${verb}`, body);
  await post("releases", { scorer: { kind: "http", protocol: "mlflow", url: model.url, send: "inputs" }, policy: POLICY });
  // Steep and between two whole incomes: a model, and the same decisions as a rule.
  const { id } = await control.put<{ readonly id: string }>("/v1/blobs", logisticModel([4], 4 * (0.5 - limitOf(ONNX))));
  const features = { name: "income", features: [{ name: "income", from: "income" }] };
  await post("releases", { scorer: { kind: "onnx", model: id }, features, policy: POLICY });
  const lead: ScorerWorld["lead"] = async (release) => {
    const { route } = await control.get<{ readonly route: { readonly live: string } }>(`/v1/endpoints/${ENDPOINT}`);
    if (route.live !== release) await post("promote", { release, reason: "torture" });
  };
  await lead(HTTP);
  await lead(ONNX);
  const { token } = await control.post<NewTokenView>("/v1/tokens", { name: "applicants", role: "application" });
  const close = async () => {
    await server.kill();
    await model.close();
  };
  return { server, model, folder, token, lead, close };
}

/** Scorer processes of a server that run now. */
export function scorerPids(server: ServerProcess): readonly number[] {
  try {
    return readdirSync(`/proc/${server.pid}/task`)
      .flatMap((task) => readFileSync(`/proc/${server.pid}/task/${task}/children`, "utf8").split(" "))
      .filter((pid) => pid !== "" && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("onnx-process"))
      .map(Number);
  } catch {
    return []; // one of them has just gone
  }
}
