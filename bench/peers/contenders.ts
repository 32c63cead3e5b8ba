/** Evenkeel and the others as one thing: something that can be started with a model, asked and read. */
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DECISIONS_PATH, applicationOf, applicationsOf, evenkeelCommand, makeEvenkeel } from "./evenkeel.ts";
import { type Command, type Peer, type ServeOrder } from "./peers.ts";
import { FEATURES, MODEL_KINDS, type ModelKind, type Task } from "./rows.ts";
import type { Dialogue } from "./servers.ts";
import { US } from "./table.ts";

export interface Contender {
  readonly title: string;
  readonly logged: string;
  readonly variants: readonly [string, ...string[]];
  /** A file with a request a line, for the load. */
  readonly bodies: string;
  dialogue(model: ModelKind): Dialogue;
  command(model: ModelKind, order: Omit<ServeOrder, "bin" | "model" | "features">): Command;
}

export function peerContender(peer: Peer, bin: string, task: Task, folder: string): Contender {
  const body = (features: readonly number[]) => JSON.stringify(peer.body(features, FEATURES));
  return {
    title: peer.title,
    logged: peer.logged,
    variants: peer.variants,
    bodies: written(
      join(folder, `${peer.title}.ndjson`),
      task.rows.map(({ features }) => body(features)),
    ),
    dialogue: (model) => ({
      path: peer.path,
      token: "",
      score: peer.score,
      checks: task.scores[model].map((score, i) => ({ body: body(task.rows[i]?.features ?? []), score })),
    }),
    command: (model, order) => peer.command({ ...order, bin, model: task.joblib[model], features: FEATURES }),
  };
}

export async function evenkeelContender(task: Task, folder: string): Promise<Contender> {
  const made = (model: ModelKind) => join(folder, `evenkeel-${model}`);
  const tokens = new Map<ModelKind, string>();
  for (const model of MODEL_KINDS) tokens.set(model, await makeEvenkeel(made(model), task.onnx[model]));
  return {
    title: US,
    logged: "yes, durably, before it is answered",
    variants: ["durable log"],
    bodies: written(
      join(folder, "evenkeel.ndjson"),
      applicationsOf(task.rows).map((application) => JSON.stringify(application)),
    ),
    dialogue: (model) => ({
      path: DECISIONS_PATH,
      token: tokens.get(model) ?? "",
      score: ["score"],
      checks: task.scores[model].flatMap((score, i) => {
        const row = task.rows[i];
        return row ? [{ body: JSON.stringify(applicationOf(row, i)), score }] : [];
      }),
    }),
    command(model, { folder: data, port }) {
      cpSync(made(model), data, { recursive: true });
      return evenkeelCommand(data, port);
    },
  };
}

function written(file: string, lines: readonly string[]): string {
  writeFileSync(file, lines.join("\n"));
  return file;
}
