/** A model in this very process: for simulations, where all runs in one order. Never for serving: a call blocks its thread. */
import { err, ok, type Issue, type Result } from "../std.ts";
import { readModelFiles } from "./model-files.ts";
import { MAX_BATCH_ROWS, type LoadedModel, type ModelProcessOptions } from "./model-process.ts";
import { ScorerError, type Model } from "./scorer.ts";

export async function openInlineModel({
  files,
  form,
  wanted = {},
  texts,
}: Pick<ModelProcessOptions, "files" | "form" | "wanted" | "texts">): Promise<
  Result<Model & { readonly loaded: LoadedModel }, readonly Issue[]>
> {
  // Loaded here and not above, so that a serving process never holds the runtime.
  const { OnnxSession, messageOf } = await import("./onnx-session.ts");
  const bytes = await readModelFiles(files);
  if (!bytes.ok) return bytes;
  const opened = await OnnxSession.load(bytes.value, { form, wanted, threads: 1 });
  if (!opened.ok) return err(opened.error);
  const session = opened.value;
  return ok({
    loaded: { model: session.model, call: session.call },
    maxRows: MAX_BATCH_ROWS,
    async run(rows) {
      try {
        return await session.run(rows, (column, code) => texts?.get(column)?.textOf(code) ?? "");
      } catch (error) {
        throw new ScorerError("failed", messageOf(error), { cause: error });
      }
    },
    close: () => session.release(),
  });
}
