import { Egress, parseEgress } from "../access/index.ts";
import { importMlflow, type Imported } from "../mlflow-import.ts";
import { MlflowSource, SourceTrouble } from "../mlflow-source.ts";
import { systemRuntime } from "../store/index.ts";
import { plural } from "./format.ts";
import { styled, type Io } from "./io.ts";
import { UsageError, verb } from "./verb.ts";

export const importVerb = verb({
  name: "import",
  help: `copy what another tracking server has

usage: evenkeel import mlflow <url> [--allow-private <host:port>]…

  --allow-private  an address on this machine or its network that may be read: mlflow.internal:5000, 127.0.0.1:5000, 10.0.0.0/8:5000;
                   public addresses need none, link-local and metadata addresses never may

Copies experiments, runs (parameters, metrics with their history, tags, inputs), registered models, versions, aliases and files over MLflow's
REST API. Broken off, it goes on where it was; said twice, it changes nothing. Nothing is changed there. What was deleted there isn't copied.
MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, say who asks there.

example:
  evenkeel import mlflow http://127.0.0.1:5000 --allow-private 127.0.0.1:5000`,
  words: 2,
  options: { "allow-private": { type: "string", multiple: true } },
  async run({ positionals: [what, url], values }, { client, io, env }) {
    if (what !== "mlflow" || !url)
      throw new UsageError(
        what && what !== "mlflow" ? `only mlflow can be imported from, not "${what}"` : "from which server? import mlflow <url>",
      );
    const rules = parseEgress(values["allow-private"] ?? []);
    if (!rules.ok) throw new UsageError(`--allow-private takes ${rules.error[0]?.expected}, not "${rules.error[0]?.got}"`);
    const { timers } = systemRuntime();
    const authorization = authorizationIn(env);
    let source: MlflowSource | undefined;
    try {
      source = new MlflowSource({
        url,
        egress: new Egress({ rules: rules.value }),
        sleep: (ms) => timers.sleep(ms),
        ...(authorization === undefined ? {} : { authorization }),
      });
      const imported = await importMlflow({ source, target: client(), onProgress: (label) => io.progress(label) });
      io.progress(undefined);
      io.out(values.json ? JSON.stringify(imported) : importedText(io, imported));
      return imported.notes.length > 0 ? 3 : 0;
    } catch (error) {
      io.progress(undefined);
      if (!(error instanceof SourceTrouble)) throw error;
      io.note(`${error.message}\nwhat was copied stays; the same command goes on from there`);
      return 1;
    } finally {
      await source?.close();
    }
  },
});

/** As MLflow's own clients take it from their environment. */
function authorizationIn(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const token = env["MLFLOW_TRACKING_TOKEN"];
  if (token) return `Bearer ${token}`;
  const [user, password] = [env["MLFLOW_TRACKING_USERNAME"], env["MLFLOW_TRACKING_PASSWORD"]];
  return user === undefined ? undefined : `Basic ${Buffer.from(`${user}:${password ?? ""}`).toString("base64")}`;
}

function importedText(io: Io, { experiments, runs, models, versions, aliases, files, notes }: Imported): string {
  const both = ({ copied, unchanged }: Imported["runs"], one: string) =>
    `${plural(copied, one)} copied${unchanged > 0 ? `, ${unchanged.toLocaleString("en")} there already` : ""}`;
  return [
    `${plural(experiments, "experiment")}: ${both(runs, "run")}`,
    `${plural(models, "model")}: ${both(versions, "version")}, ${plural(aliases, "alias", "aliases")} set`,
    `${plural(files.copied, "file")} copied, ${plural(files.bytes, "byte")}`,
    ...notes.map((note) => styled(io, "yellow", note)),
  ].join("\n");
}
