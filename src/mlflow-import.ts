/**
 * Copies a running MLflow server's experiments, runs, registered models, versions, aliases and files to here, through the very routes that
 * MLflow's clients use. What was copied carries where it came from in a tag, so that copying again goes on where it ended, and changes nothing
 * where all is there.
 */
import { createHash } from "node:crypto";
import type { EvenkeelClient } from "./client.ts";
import {
  SourceTrouble,
  type MlflowSource,
  type SourceExperiment,
  type SourceModel,
  type SourceRun,
  type SourceVersion,
} from "./mlflow-source.ts";
import { canonicalJson } from "./store/index.ts";

export interface Imported {
  readonly experiments: number;
  readonly runs: { copied: number; unchanged: number };
  readonly models: number;
  readonly versions: { copied: number; unchanged: number };
  readonly aliases: number;
  readonly files: { copied: number; bytes: number };
  /** What couldn't be copied, or isn't the same here, one sentence each. */
  readonly notes: readonly string[];
}

export interface ImportOptions {
  readonly source: MlflowSource;
  /** With a token that may write to the registry. */
  readonly target: EvenkeelClient;
  readonly onProgress?: (label: string) => void;
}

/** Where a thing came from: `<url>#<id>`. */
const FROM = "evenkeel.imported_from";
/** What it was like there when all of it had been copied; before that, what it was like when that began. */
const STATE = "evenkeel.import_state";
const COPYING = "copying ";
const POINTS_AT_ONCE = 1000;
const PAIRS_AT_ONCE = 100;
const NOTES_MAX = 200;
const API = "/api/2.0/mlflow";

interface Pair {
  readonly key: string;
  readonly value?: string | null | undefined;
}
interface TargetRun {
  readonly info: { readonly run_id: string; readonly artifact_uri: string };
  readonly data?: { readonly tags?: readonly Pair[] };
}
interface TargetVersion {
  readonly version: string;
  readonly tags?: readonly Pair[];
}
interface TargetModel {
  readonly aliases?: readonly { readonly alias: string; readonly version: string }[];
}

/** @throws SourceTrouble, EvenkeelProblem or EvenkeelUnreachable: what was copied until then stays, and the next time goes on from there */
export async function importMlflow(options: ImportOptions): Promise<Imported> {
  const copying = new Copying(options);
  await copying.experiments();
  await copying.models();
  return copying.done;
}

class Copying {
  readonly #source: MlflowSource;
  readonly #target: EvenkeelClient;
  readonly #onProgress: (label: string) => void;
  readonly #notes: string[] = [];
  /** Ids of runs here, by those there. */
  readonly #runs = new Map<string, string>();
  /** Logged models that runs made, with the run; those that were registered are copied as versions. */
  readonly #made = new Map<string, string>();
  readonly #counts = { experiments: 0, models: 0, aliases: 0 };
  readonly #copied = { runs: { copied: 0, unchanged: 0 }, versions: { copied: 0, unchanged: 0 }, files: { copied: 0, bytes: 0 } };

  constructor({ source, target, onProgress }: ImportOptions) {
    this.#source = source;
    this.#target = target;
    this.#onProgress = onProgress ?? (() => undefined);
  }

  get done(): Imported {
    return { ...this.#counts, ...this.#copied, notes: this.#notes };
  }

  async experiments(): Promise<void> {
    for await (const experiment of this.#source.experiments()) {
      const id = await this.#experiment(experiment);
      this.#counts.experiments++;
      const known = await this.#knownRuns(id);
      let place = 0;
      for await (const run of this.#source.runs(experiment.experiment_id)) {
        this.#onProgress(`${experiment.name}: run ${++place}`);
        await this.#run(run, id, known);
      }
    }
  }

  async models(): Promise<void> {
    for await (const model of this.#source.models()) {
      this.#onProgress(`model ${model.name}`);
      await this.#model(model);
      this.#counts.models++;
    }
    for (const [model, run] of this.#made)
      this.#note(`Run ${run} made the logged model ${model}, which was never registered: it was not copied.`);
  }

  async #experiment({ name, tags }: SourceExperiment): Promise<string> {
    const known = await this.#find<{ readonly experiment: { readonly experiment_id: string } }>("experiments/get-by-name", {
      experiment_name: name,
    });
    if (known) return known.experiment.experiment_id;
    const made = await this.#post<{ readonly experiment_id: string }>("experiments/create", { name, tags: pairs(tags) });
    return made.experiment_id;
  }

  /** Runs that came from this source before, by their ids there. */
  async #knownRuns(experiment: string): Promise<ReadonlyMap<string, TargetRun>> {
    const known = new Map<string, TargetRun>();
    const prefix = `${this.#source.base}#`;
    for (let token: string | undefined; ;) {
      const page: { readonly runs?: readonly TargetRun[]; readonly next_page_token?: string } = await this.#post("runs/search", {
        experiment_ids: [experiment],
        run_view_type: "ALL",
        max_results: 1000,
        page_token: token,
      });
      for (const run of page.runs ?? []) {
        const from = tagOf(run.data?.tags, FROM);
        if (from?.startsWith(prefix)) known.set(from.slice(prefix.length), run);
      }
      if (!page.next_page_token) return known;
      token = page.next_page_token;
    }
  }

  async #run(run: SourceRun, experiment: string, known: ReadonlyMap<string, TargetRun>): Promise<void> {
    const { info } = run;
    const before = known.get(info.run_id);
    const state = fingerprint(run);
    if (before && tagOf(before.data?.tags, STATE) === state) {
      this.#runs.set(info.run_id, before.info.run_id);
      this.#copied.runs.unchanged++;
      return;
    }
    const here = before ?? (await this.#begin(run, experiment, state));
    const { run_id } = here.info;
    this.#runs.set(info.run_id, run_id);
    if (before) await this.#post("runs/set-tag", { run_id, key: STATE, value: COPYING + state });
    for (const params of batches(pairs(run.data?.params), PAIRS_AT_ONCE)) await this.#post("runs/log-batch", { run_id, params });
    for (const tags of batches(pairs(run.data?.tags), PAIRS_AT_ONCE)) await this.#post("runs/log-batch", { run_id, tags });
    for (const { key } of run.data?.metrics ?? []) await this.#history(info.run_id, run_id, key);
    const datasets = run.inputs?.dataset_inputs ?? [];
    if (datasets.length > 0) await this.#post("runs/log-inputs", { run_id, datasets });
    for (const { model_id } of run.outputs?.model_outputs ?? []) this.#made.set(model_id, info.run_id);
    await this.#files(info.artifact_uri ?? "", addressOf(here.info.artifact_uri), `Run ${info.run_id}`);
    await this.#post("runs/update", {
      run_id,
      ...(info.status === undefined || info.status === "RUNNING" ? {} : { status: info.status }),
      ...(info.end_time === undefined ? {} : { end_time: info.end_time }),
    });
    await this.#post("runs/set-tag", { run_id, key: STATE, value: state });
    this.#copied.runs.copied++;
  }

  async #begin({ info }: SourceRun, experiment: string, state: string): Promise<TargetRun> {
    const { run } = await this.#post<{ readonly run: TargetRun }>("runs/create", {
      experiment_id: experiment,
      run_name: info.run_name ?? undefined,
      user_id: info.user_id ?? undefined,
      start_time: info.start_time,
      tags: [
        { key: FROM, value: `${this.#source.base}#${info.run_id}` },
        { key: STATE, value: COPYING + state },
      ],
    });
    return run;
  }

  async #history(from: string, run_id: string, key: string): Promise<void> {
    let metrics: object[] = [];
    const flush = async () => {
      if (metrics.length > 0) await this.#post("runs/log-batch", { run_id, metrics });
      metrics = [];
    };
    for await (const { value, timestamp, step } of this.#source.history(from, key)) {
      // What protobuf leaves out is zero.
      metrics.push({ key, value: value ?? 0, timestamp: timestamp ?? 0, step: step ?? 0 });
      if (metrics.length === POINTS_AT_ONCE) await flush();
    }
    await flush();
  }

  async #model(model: SourceModel): Promise<void> {
    const { name, description, tags, aliases } = model;
    const here = await this.#find<{ readonly registered_model: TargetModel }>("registered-models/get", { name });
    if (!here) await this.#post("registered-models/create", { name, description: description ?? "", tags: pairs(tags) });
    const numbers = await this.#versions(name);
    const pointing = new Map((here?.registered_model.aliases ?? []).map((one) => [one.alias, one.version]));
    for (const { alias, version } of aliases ?? []) {
      const wanted = numbers.get(String(version));
      const at = pointing.get(alias);
      if (wanted === undefined)
        this.#note(`${name}@${alias} points at version ${version} there, which is not here: the alias was not set.`);
      else if (at === undefined) {
        await this.#post("registered-models/alias", { name, alias, version: wanted });
        this.#counts.aliases++;
      } else if (at !== wanted)
        this.#note(`${name}@${alias} points at version ${at} here, and at what is ${wanted} here there: it was left as it is.`);
    }
  }

  /** @returns numbers of versions here, by those there */
  async #versions(model: string): Promise<ReadonlyMap<string, string>> {
    const prefix = `${this.#source.base}#${model}/`;
    const numbers = new Map<string, string>();
    const there = await this.#source.versions(model);
    const filter = `name='${model.replaceAll("'", "''")}'`;
    const page = await this.#target.get<{ readonly model_versions?: readonly TargetVersion[] }>(`${API}/model-versions/search`, { filter });
    for (const { version, tags } of page.model_versions ?? []) {
      const from = tagOf(tags, FROM);
      if (from?.startsWith(prefix)) numbers.set(from.slice(prefix.length), version);
    }
    for (const version of there) {
      const number = String(version.version);
      this.#made.delete(/^models:[/]+(m-[0-9a-f]{32})[/]?$/.exec(version.source ?? "")?.[1] ?? "");
      if (numbers.has(number)) {
        this.#copied.versions.unchanged++;
        continue;
      }
      const made = await this.#version(version, `${prefix}${number}`);
      numbers.set(number, made);
      this.#copied.versions.copied++;
      if (made !== number) this.#note(`${model}/${number} there is ${model}/${made} here: numbers aren't given twice.`);
    }
    return numbers;
  }

  async #version({ name, version, description, run_id, tags }: SourceVersion, from: string): Promise<string> {
    const number = String(version);
    // By a name of its own, so that going on after a break finds what was copied, and nothing else lies there.
    const folder = `imported/${createHash("sha256").update(from).digest("hex").slice(0, 32)}`;
    const uri = await this.#source.downloadUri(name, number);
    const hasFiles = await this.#files(uri, folder, `${name}/${number}`);
    const run = run_id ? this.#runs.get(run_id) : undefined;
    const { model_version: made } = await this.#post<{ readonly model_version: TargetVersion }>("model-versions/create", {
      name,
      source: hasFiles ? `mlflow-artifacts:/${folder}` : uri || "unknown:/",
      description: description ?? "",
      ...(run === undefined ? {} : { run_id: run }),
      tags: [...pairs(tags), { key: FROM, value: from }],
    });
    return made.version;
  }

  /** @returns whether anything lay there that could be had */
  async #files(uri: string, folder: string, whose: string): Promise<boolean> {
    const found = await this.#source.files(uri);
    if (!found) {
      this.#note(`${whose}: its files lie at ${uri || "no address"}, which the server doesn't hand out; they were not copied.`);
      return false;
    }
    const here = new Map<string, number>();
    if (found.files.length > 0) await this.#listed(folder, "", here);
    for (const { path, bytes } of found.files) {
      // Of files that were copied before a break only those that are not whole come again.
      if (bytes !== null && here.get(path) === bytes) continue;
      this.#onProgress(`${whose}: ${path}`);
      const address = [...folder.split("/"), ...path.split("/")].map(encodeURIComponent).join("/");
      const bytesThere = await this.#source.read(found.root, path);
      await this.#target.putStream(`/api/2.0/mlflow-artifacts/artifacts/${address}`, bytesThere).catch((error: unknown) => {
        // What came broken was refused here: nothing of it is kept.
        if (bytesThere.errored) throw new SourceTrouble(`${path} of ${whose} broke off while it was read`, { cause: error });
        throw error;
      });
      this.#copied.files.copied++;
      this.#copied.files.bytes += bytes ?? 0;
    }
    return found.files.length > 0;
  }

  async #listed(root: string, folder: string, into: Map<string, number>): Promise<void> {
    const path = folder === "" ? root : `${root}/${folder}`;
    const { files = [] } = await this.#target.get<{
      readonly files?: readonly { readonly path: string; readonly is_dir: boolean; readonly file_size?: number }[];
    }>("/api/2.0/mlflow-artifacts/artifacts", { path });
    for (const file of files) {
      const at = folder === "" ? file.path : `${folder}/${file.path}`;
      if (file.is_dir) await this.#listed(root, at, into);
      else into.set(at, file.file_size ?? -1);
    }
  }

  #note(sentence: string): void {
    if (this.#notes.length < NOTES_MAX) this.#notes.push(sentence);
  }

  #post<T = object>(path: string, body: object): Promise<T> {
    return this.#target.post<T>(`${API}/${path}`, body);
  }

  /** Undefined where there is none. */
  async #find<T>(path: string, query: Readonly<Record<string, string>>): Promise<T | undefined> {
    return this.#target.getOrUndefined<T>(`${API}/${path}`, query);
  }
}

/** A run as it is there: what changes when anything is logged to it. */
function fingerprint({ info, data, inputs }: SourceRun): string {
  const sorted = (list: readonly Pair[] | undefined) => pairs(list).toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const metrics = (data?.metrics ?? [])
    .map(({ key, value, timestamp, step }) => [key, String(value ?? 0), String(timestamp ?? 0), String(step ?? 0)])
    .toSorted(([a = ""], [b = ""]) => (a < b ? -1 : 1));
  const told = {
    status: info.status ?? "",
    name: info.run_name ?? "",
    end: String(info.end_time ?? ""),
    params: sorted(data?.params),
    tags: sorted(data?.tags),
    metrics,
    inputs: JSON.stringify(inputs ?? {}),
  };
  return createHash("sha256").update(canonicalJson(told)).digest("hex").slice(0, 32);
}

const pairs = (list: readonly Pair[] | undefined) => (list ?? []).map(({ key, value }) => ({ key, value: value ?? "" }));
const tagOf = (tags: readonly Pair[] | undefined, key: string): string | undefined =>
  tags?.find((tag) => tag.key === key)?.value ?? undefined;
const addressOf = (uri: string): string => uri.replace(/^mlflow-artifacts:(?:[/][/][^/]*)?[/]+/, "");

function* batches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
