/** A model in this very process: for simulations, where all runs in one order. Never for serving: a call blocks its thread. */
import { readFile } from "node:fs/promises";
import { err, ok, type Issue, type Result } from "../std.ts";
import type { LoadedModel, ModelProcessOptions } from "./model-process.ts";
import { ScorerError, type Model } from "./scorer.ts";

export async function openInlineModel(
  options: Pick<ModelProcessOptions, "path" | "width" | "output" | "column">,
): Promise<Result<Model & { readonly loaded: LoadedModel }, readonly Issue[]>> {
  // Loaded here and not above, so that a serving process never holds the runtime.
  const { OnnxSession, messageOf } = await import("./onnx-session.ts");
  const opened = await OnnxSession.load(await readFile(options.path), { ...options, threads: 1 });
  if (!opened.ok) return err(opened.error);
  const session = opened.value;
  return ok({
    loaded: { model: session.model, call: session.call },
    async run(rows) {
      try {
        return await session.run(rows);
      } catch (error) {
        throw new ScorerError("failed", messageOf(error), { cause: error });
      }
    },
    close: () => session.release(),
  });
}
