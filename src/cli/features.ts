/** Feature sets: kept, looked at, followed through their versions, and applied to tables by the code that serves. */
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Type } from "typebox";
import type { DatasetVersionView, FeatureSetView } from "../api/index.ts";
import { checked } from "../checked.ts";
import {
  derivationOf,
  featureChangeText,
  featureHistory,
  featureSetChanges,
  parseFeatureSet,
  type FeatureEvent,
  type FeatureSetSpec,
} from "../registry/index.ts";
import { InputsSpec, featureRows } from "../serving/index.ts";
import { parseYaml } from "../yaml.ts";
import { deriveFile } from "./feature-rows-file.ts";
import { FileError, brokenText, isFile, readText, readYaml } from "./files.ts";
import { moment, plural } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { UsageError, verb, type VerbContext } from "./verb.ts";

export const features = verb({
  name: "features",
  help: `the ordered inputs of models: what they are, what changed in one of them and when, and rows for training by the code that serves

usage: evenkeel features ls
       evenkeel features show <set>
       evenkeel features add <file>
       evenkeel features diff <set> <set>
       evenkeel features log <feature>
       evenkeel features apply <set> --endpoint <name|file.yaml> --table <file|dataset@tag> --out <file.csv|.ndjson> [--keep <column>]…

  <set>       name/3, fs:…, or a file (YAML or JSON)
  --endpoint  whose inputs the features are derived from: its name, or the file that declares it
  --table     a table (CSV, NDJSON, Parquet) with a column for each input, or a version of a dataset
  --keep      a column that goes along, such as the key or the label

apply checks every row as the endpoint checks a request, and derives it by the very code that derives what a model sees when it serves. A row
that the endpoint would refuse ends it, with its line. Numbers are written so that reading them gives the same 32-bit floats.

examples:
  evenkeel features log utilisation
  evenkeel features diff credit/1 credit/2
  evenkeel features apply credit/2 --endpoint loans --table applicants.csv --out rows.csv --keep id`,
  words: 3,
  options: {
    endpoint: { type: "string" },
    table: { type: "string" },
    out: { type: "string" },
    keep: { type: "string", multiple: true },
  },
  async run({ positionals: [act, first, second], values }, context) {
    const { client, io, cwd } = context;
    const show = <T>(view: T, text: (view: T) => string) => io.out(values.json ? JSON.stringify(view) : text(view));
    switch (act) {
      case "ls":
      case undefined:
        show(await allSets(context), (all) => listText(io, all));
        return 0;
      case "show":
        if (!first) throw new UsageError("which feature set?");
        show(await setNamed(context, first), (set) => setText(io, set));
        return 0;
      case "add":
        if (!first) throw new UsageError("which file?");
        show(
          await client().post<FeatureSetView>("/v1/feature-sets", await readYaml(cwd, first)),
          ({ name, number, id }) => `${styled(io, "bold", `${name}/${number}`)}\n${id}`,
        );
        return 0;
      case "diff": {
        if (!first || !second) throw new UsageError("two feature sets are needed, such as credit/1 credit/2");
        const [before, now] = [await setNamed(context, first), await setNamed(context, second)];
        const changes = featureSetChanges(before.spec, now.spec);
        show(changes, () => (changes.length > 0 ? changes.map(featureChangeText).join("\n") : "the same features in the same order"));
        return 0;
      }
      case "log": {
        if (!first) throw new UsageError("which feature?");
        const all = await allSets(context);
        const events = featureHistory(all, first);
        if (events.length === 0) throw new FileError(`no feature set has had a feature ${first}: evenkeel features ls`);
        show(events.map(eventView), () => historyText(io, first, events));
        return 0;
      }
      case "apply": {
        if (!first || !values.endpoint || !values.table || !values.out)
          throw new UsageError("a feature set, --endpoint, --table and --out are needed");
        await apply(context, first, {
          endpoint: values.endpoint,
          data: values.table,
          out: values.out,
          keep: values.keep ?? [],
          json: values.json ?? false,
        });
        return 0;
      }
      default:
        throw new UsageError(`features can ls, show, add, diff, log or apply, not "${act}"`);
    }
  },
});

async function allSets({ client }: VerbContext): Promise<readonly FeatureSetView[]> {
  return (await client().get<{ readonly featureSets: readonly FeatureSetView[] }>("/v1/feature-sets")).featureSets;
}

interface NamedSet {
  readonly title: string;
  readonly spec: FeatureSetSpec;
}

/** By its reference, or in a file that the server needn't know. */
async function setNamed({ client, cwd }: VerbContext, named: string): Promise<NamedSet> {
  if (!isFile(named)) {
    const { name, number, spec } = await client().get<FeatureSetView>("/v1/feature-set", { reference: named });
    return { title: `${name}/${number}`, spec };
  }
  const spec = parseFeatureSet(await readYaml(cwd, named));
  if (!spec.ok) throw new FileError(brokenText(`${named} is no feature set:`, spec.error));
  return { title: named, spec: spec.value };
}

function listText(io: Io, all: readonly FeatureSetView[]): string {
  const rows = all.map(({ name, number, spec, createdAt, createdBy, id }) => [
    `${name}/${number}`,
    spec.features.length,
    spec.features.filter((feature) => "cel" in feature).length,
    moment(createdAt),
    createdBy,
    id.slice(0, 15),
  ]);
  return table(io, ["set", "features", "derived", "since", "by", "id"], rows, "no feature set yet: evenkeel features add");
}

function setText(io: Io, { title, spec }: NamedSet): string {
  const rows = spec.features.map((feature, i) => [
    i + 1,
    feature.name,
    derivationOf(feature),
    feature.code ?? "",
    feature.reason ?? feature.text ?? "",
  ]);
  return `${styled(io, "bold", title)}\n\n${table(io, ["", "feature", "derivation", "code", "told as"], rows)}`;
}

const eventView = ({ version: { name, number, id, createdAt, createdBy }, change }: FeatureEvent<FeatureSetView>) => ({
  set: name,
  number,
  id,
  createdAt,
  createdBy,
  change,
});

function historyText(io: Io, feature: string, events: readonly FeatureEvent<FeatureSetView>[]): string {
  const rows = events.map(({ version: { name, number, createdAt, createdBy }, change }) => [
    `${name}/${number}`,
    moment(createdAt),
    createdBy,
    change.kind === "moved"
      ? `moved from place ${change.from} to ${change.to}`
      : featureChangeText(change).replace(`${feature}: `, "").trim(),
  ]);
  return `${styled(io, "bold", feature)}\n\n${table(io, ["set", "when", "who", "what"], rows)}`;
}

interface Application {
  readonly endpoint: string;
  readonly data: string;
  readonly out: string;
  readonly keep: readonly string[];
  readonly json: boolean;
}

async function apply(context: VerbContext, named: string, { endpoint, data, out, keep, json }: Application): Promise<void> {
  const { io, cwd } = context;
  if (!/\.(csv|ndjson|jsonl)$/i.test(out)) throw new UsageError("--out takes a .csv, .ndjson or .jsonl file");
  const { title, spec } = await setNamed(context, named);
  const inputs = await inputsOf(context, endpoint);
  const rows = featureRows(spec, inputs);
  if (!rows.ok) throw new FileError(brokenText(`${title} doesn't fit the inputs of ${endpoint}:`, rows.error));
  const place = resolve(cwd, out);
  const source = await dataAt(context, data, `${place}.source`);
  try {
    const derived = await deriveFile({
      rows: rows.value,
      inputs,
      data: source.path,
      dataName: data,
      out: place,
      keep,
      onProgress: (count) => io.progress(`${count.toLocaleString("en")} rows`),
    });
    io.progress(undefined);
    if (json) io.out(JSON.stringify({ featureSet: title, features: rows.value.names, ...derived, out }));
    else {
      io.out(`${plural(derived.rows, "row")} of ${plural(rows.value.names.length, "feature")} by ${title}: ${out}`);
      if (derived.leftOut.length > 0)
        io.note(`left out, as ${endpoint} doesn't ask for them: ${derived.leftOut.join(", ")} (--keep takes one along)`);
    }
  } finally {
    io.progress(undefined);
    if (source.isOurs) await rm(source.path, { force: true });
  }
}

/** A file as it is; a version of a dataset is fetched. */
async function dataAt(
  { client, cwd }: VerbContext,
  data: string,
  fetched: string,
): Promise<{ readonly path: string; readonly isOurs: boolean }> {
  const path = resolve(cwd, data);
  if (existsSync(path)) return { path, isOurs: false };
  if (!/^[a-z][a-z0-9-]{0,62}[@/][^/]{1,100}$/.test(data)) throw new FileError(`${data} can't be read: there is no such file`);
  const { blob, layout } = await client().get<DatasetVersionView>("/v1/dataset-version", { reference: data });
  if (layout === "folder") throw new FileError(`${data} is a folder: evenkeel data get writes its files, of which --table takes one`);
  await mkdir(dirname(fetched), { recursive: true });
  await client().getFile(`/v1/blobs/${blob}`, fetched);
  return { path: fetched, isOurs: true };
}

const Declared = Type.Object({ inputs: InputsSpec });
const checkDeclared = checked(Declared);

/** Of an endpoint on the server, or of the one that a file declares. */
async function inputsOf({ client, cwd }: VerbContext, endpoint: string): Promise<InputsSpec> {
  if (!isFile(endpoint)) return client().get<InputsSpec>(`/v1/endpoints/${encodeURIComponent(endpoint)}/inputs`);
  const documents = parseYaml(await readText(cwd, endpoint));
  if (!documents.ok) throw new FileError(brokenText(`${endpoint} is no YAML:`, documents.error));
  const [document, ...more] = documents.value.filter(({ value }) => isEndpoint(value));
  if (!document || more.length > 0)
    throw new FileError(`${endpoint} should declare one endpoint, and declares ${document ? more.length + 1 : "none"}`);
  const declared = checkDeclared(document.value);
  if (!declared.ok)
    throw new FileError(
      brokenText(
        `${endpoint} declares no inputs that can be read:`,
        declared.error.map((issue) => document.locate(issue)),
      ),
    );
  return declared.value.inputs;
}

const isEndpoint = (value: unknown): boolean => typeof value === "object" && value !== null && "kind" in value && value.kind === "endpoint";
