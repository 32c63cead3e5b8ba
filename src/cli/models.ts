/** Models: registered, looked at, named. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { EvenkeelClient } from "../client.ts";
import type { FeatureSetView, ModelCardView, ModelDetailView, ModelVersionView, ModelView } from "../api/index.ts";
import { movesText } from "./data-text.ts";
import { isFile, readYaml } from "./files.ts";
import { moment, plural } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { uploadModel } from "./model-files.ts";
import { UsageError, verb } from "./verb.ts";

const path = (model: string) => `/v1/models/${encodeURIComponent(model)}`;

export const models = verb({
  name: "models",
  help: `register, show and name models

usage: evenkeel models ls
       evenkeel models show <name> | <version>
       evenkeel models card <version> [--format html|markdown] [--out <file>]
       evenkeel models register <file.onnx|folder> --name <model> [--features <name/number|fs:…|file>] [--examples <file>]
                                [--output <name>] [--run <id>]
       evenkeel models alias <name> <alias> <number>|none --reason <text> [--expected <number>|none]
       evenkeel models protect|free <name> <alias> --reason <text>
       evenkeel models delete <version>

  <version>   credit/3, credit@champion or mdl:…
  --features  the feature set that the model was trained on: its features, in its order; a file (YAML or JSON) is kept as a new one
  --examples  rows of features (YAML or JSON: { rows, scores }) that the model is asked about whenever it is loaded
  --output    the output that holds the score, where several could
  --expected  where the alias points now, as far as you know: refused, with who moved it, where it points elsewhere

A protected alias is moved by those with registry:protected only, and what it points at isn't deleted. What a release or an alias points at
isn't either: the refusal names it.

A folder holds one model with its weights beside it, or is one that MLflow saved; only what belongs to the model is uploaded. What can't be
served (no ONNX, a pickle, weights elsewhere) is refused with the reason before anything loads it, and then a process of its own tries it.

examples:
  evenkeel models register tour/model.onnx --name credit --features tour/feature-set.json
  evenkeel models register mlruns/1/models/m-7f/artifacts --name credit
  evenkeel models alias credit champion 1 --reason "best on held-out clients"
  evenkeel models show credit@champion`,
  words: 4,
  options: {
    name: { type: "string" },
    features: { type: "string" },
    examples: { type: "string" },
    output: { type: "string" },
    run: { type: "string" },
    reason: { type: "string" },
    expected: { type: "string" },
    format: { type: "string" },
    out: { type: "string" },
  },
  async run({ positionals: [act, first, second, third], values }, { client, io, cwd }) {
    const show = <T>(view: T, text: (view: T) => string) => io.out(values.json ? JSON.stringify(view) : text(view));
    switch (act) {
      case "ls":
      case undefined: {
        const { models: all } = await client().get<{ readonly models: readonly ModelView[] }>("/v1/models");
        const rows = all.map(({ name, latest, aliases, createdAt }) => [
          name,
          latest,
          moment(createdAt),
          Object.entries(aliases)
            .map(([alias, number]) => `${alias} → ${number}`)
            .join(", "),
        ]);
        show(all, () => table(io, ["model", "versions", "since", "aliases"], rows, "no model yet: evenkeel models register"));
        return 0;
      }
      case "show":
        if (!first) throw new UsageError("which model, or which version of one?");
        if (!/[/@:]/.test(first)) show(await client().get<ModelDetailView>(path(first)), (view) => modelText(io, view));
        else show(await client().get<ModelVersionView>("/v1/model-version", { reference: first }), (view) => modelVersionText(io, view));
        return 0;
      case "register": {
        if (!first || !values.name) throw new UsageError("a file or folder and --name are needed");
        const made = await registerModel(client(), cwd, { ...values, model: first, name: values.name });
        show(made, ({ model, number, id: version }) => `${styled(io, "bold", `${model}/${number}`)}\n${version}`);
        return 0;
      }
      case "alias": {
        if (!first || !second || !third || !values.reason)
          throw new UsageError("a model, an alias, a version's number (or none) and --reason are needed");
        const number = versionOrNone(third);
        const { aliases } = await client().post<{ readonly aliases: Readonly<Record<string, number>> }>(`${path(first)}/aliases`, {
          alias: second,
          number,
          reason: values.reason,
          ...(values.expected === undefined ? {} : { expected: versionOrNone(values.expected) }),
        });
        show(aliases, () => (number === null ? `${first}@${second} is gone` : `${first}@${second} is ${first}/${number}`));
        return 0;
      }
      case "card": {
        if (!first) throw new UsageError("which version? credit/3, for example");
        const format = values.format ?? (values.out?.endsWith(".html") ? "html" : "markdown");
        if (format !== "html" && format !== "markdown") throw new UsageError(`--format is html or markdown, not "${format}"`);
        const document = values.json
          ? JSON.stringify(await client().get<ModelCardView>("/v1/model-card", { reference: first }))
          : await client().getText("/v1/model-card/document", { reference: first, format });
        if (values.out === undefined) io.out(document.trimEnd());
        else {
          await writeFile(resolve(cwd, values.out), document);
          io.note(`written to ${values.out}`);
        }
        return 0;
      }
      case "protect":
      case "free": {
        if (!first || !second || !values.reason) throw new UsageError("a model, an alias and --reason are needed");
        const isProtected = act === "protect";
        await client().post(`${path(first)}/protected-aliases`, { alias: second, isProtected, reason: values.reason });
        show({ alias: second, isProtected }, () =>
          isProtected
            ? `${first}@${second} is moved by those with registry:protected only`
            : `${first}@${second} is moved by everybody who registers models`,
        );
        return 0;
      }
      case "delete": {
        const [, name, number] = /^([^/@]+)[/]([1-9]\d{0,8})$/.exec(first ?? "") ?? [];
        if (name === undefined || number === undefined) throw new UsageError("which version? credit/3, for example");
        await client().delete(`${path(name)}/versions/${number}`);
        show({ deleted: first }, () => `${first} is gone`);
        return 0;
      }
      default:
        throw new UsageError(`models can ls, show, card, register, alias, protect, free or delete, not "${act}"`);
    }
  },
});

function versionOrNone(text: string): number | null {
  const number = text === "none" ? null : Number(text);
  if (number !== null && !Number.isInteger(number)) throw new UsageError(`a version's number or none, not "${text}"`);
  return number;
}

/** What is to be registered: `model` is a path. */
export interface ModelOnDisk {
  readonly model: string;
  readonly name: string;
  readonly features?: string | undefined;
  readonly examples?: string | undefined;
  readonly output?: string | undefined;
  readonly run?: string | undefined;
}

/** Uploads a model and makes a version of it. */
export async function registerModel(client: EvenkeelClient, cwd: string, wanted: ModelOnDisk): Promise<ModelVersionView> {
  const { model, name, features, examples, output, run } = wanted;
  return client.post<ModelVersionView>(`${path(name)}/versions`, {
    ...(await uploadModel(client, cwd, model)),
    ...(features === undefined ? {} : { featureSet: await featureSetNamed(client, features, cwd) }),
    ...(examples === undefined ? {} : { examples: await readYaml(cwd, examples) }),
    ...(output === undefined ? {} : { output }),
    ...(run === undefined ? {} : { run }),
  });
}

/** A feature set by its name; one that is declared in a file is kept first. */
async function featureSetNamed(client: EvenkeelClient, named: string, cwd: string): Promise<string> {
  if (!isFile(named)) return named;
  return (await client.post<FeatureSetView>("/v1/feature-sets", await readYaml(cwd, named))).id;
}

function modelText(io: Io, { name, versions, moves, protected: guarded }: ModelDetailView): string {
  const rows = versions.map((one) => [
    one.number,
    one.aliases.join(", "),
    one.signature ? String(one.signature.features.length || "not named") : "can't serve",
    one.run,
    moment(one.createdAt),
    one.createdBy,
    one.id.slice(0, 16),
  ]);
  const columns = ["version", "aliases", "features", "run", "registered", "by", "id"];
  return [styled(io, "bold", name), "", table(io, columns, rows), ...guardedText(io, guarded), ...movesText(io, "alias", moves)].join("\n");
}

function guardedText(io: Io, guarded: ModelDetailView["protected"]): string[] {
  if (guarded.length === 0) return [];
  return [
    "",
    table(
      io,
      ["protected alias", "since", "by", "reason"],
      guarded.map(({ alias, at, by, reason }) => [alias, moment(at), by, reason]),
    ),
  ];
}

function modelVersionText(io: Io, version: ModelVersionView): string {
  const { model, number, aliases, signature } = version;
  const head = [
    styled(io, "bold", `${model}/${number}${aliases.map((alias) => ` @${alias}`).join("")}`),
    `registered ${moment(version.createdAt)} by ${version.createdBy}`,
    `version      ${version.id}`,
    `file         ${version.blob}`,
    `feature set  ${version.featureSet ?? "none"}`,
    `run          ${version.run ?? "none"}`,
  ];
  if (!signature) return `${head.join("\n")}\n\nit can't be served: ${version.unservable ?? "its files hold no ONNX model"}`;
  const tensors = (["inputs", "outputs"] as const).flatMap((side) =>
    signature[side].map(({ name, type, shape }) => [
      side === "inputs" ? "in" : "out",
      name,
      type,
      `[${shape.map((length) => length ?? "any").join(", ")}]`,
      name === signature.scoreOutput && side === "outputs" ? "the score" : "",
    ]),
  );
  return [
    ...head,
    "",
    table(io, ["", "tensor", "type", "shape", ""], tensors),
    "",
    signature.features.length > 0
      ? `${plural(signature.features.length, "feature")}, in this order: ${signature.features.join(", ")}`
      : "its features are not named: a release has to say them",
  ].join("\n");
}
