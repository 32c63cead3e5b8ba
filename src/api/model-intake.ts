/** A model as it comes in, one file or a folder's: read, tried away from everything that serves, and kept with its examples. */
import {
  MLMODEL,
  exampleRowsIn,
  modelParts,
  putModel,
  readMlmodel,
  type MlflowModel,
  type ModelExamples,
  type ModelParts,
  type ModelSignature,
} from "../registry/index.ts";
import { ScorerError, exampleIssues, inspectApart, isPlainName, scoredColumn, tryModel } from "../serving/index.ts";
import type { Blobs } from "../store/index.ts";
import type { BlobId, Issue } from "../std.ts";
import { readModel } from "./model-file.ts";
import { ProblemError } from "./problem.ts";
import { blobIdAt } from "./registry-parts.ts";

/** Read into memory when a model is loaded, and once more in one piece. */
const MAX_MODEL_BYTES = 1024 ** 3;
/** Trials at once, and those who wait for theirs. */
const MAX_TRIALS = 16;
const MAX_TEXT_BYTES = 1024 * 1024;

export interface NamedBlob {
  readonly name: string;
  readonly blob: string;
}

/** What a caller sends. */
export interface IncomingModel {
  /** A file, or the manifest of a folder that was registered before. */
  readonly blob: string | undefined;
  readonly files: readonly NamedBlob[] | undefined;
  readonly signature: ModelSignature | undefined;
  readonly features: readonly string[] | undefined;
  readonly output: string | undefined;
  readonly examples: ModelExamples | undefined;
}

/** What is registered. */
export interface AcceptedModel {
  readonly blob: BlobId;
  readonly signature: ModelSignature;
}

interface Found {
  readonly parts: ModelParts;
  readonly features: readonly string[] | undefined;
}

const NOTHING_MORE = { blob: undefined, signature: undefined, features: undefined, output: undefined, examples: undefined };

/** Takes in models, one at a time: a trial is a process of its own. */
export class ModelIntake {
  readonly #blobs: Blobs;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(blobs: Blobs) {
    this.#blobs = blobs;
  }

  /** @throws ProblemError with what is wrong with the model; nothing is kept then */
  async accept(incoming: IncomingModel): Promise<AcceptedModel> {
    const { parts, examples, read, beside, bytes, file } = await this.#read(incoming);
    if (read.isOpen && examples?.scores)
      throw unprocessable({
        path: "/examples/scores",
        expected: "no scores, since the model doesn't say which of its columns is the score",
        got: `${examples.scores.length}`,
        hint: "give them with the release, where the class is said: onnx: { class: …, examples: … }",
      });
    const misfits = incoming.examples ? exampleIssues(incoming.examples, read) : [];
    if (misfits.length > 0) throw new ProblemError("invalid", undefined, misfits);
    const files = { model: file(parts.model), beside: [...beside].map(([name, id]) => ({ name, ...file(id) })) };
    const wanted = { output: read.signature.scoreOutput, ...(read.isOpen ? { column: 0 } : {}) };
    const limits = { dataBytes: 1.5e9 + 4 * bytes, cpuSeconds: 20 };
    const tried = await this.#inTurn(() =>
      tryModel({ files, form: read.form, call: read.call, wanted, examples: examples ?? null, limits }),
    );
    if (!tried.ok) throw new ProblemError("unprocessable", "The model was tried, and can't be served.", tried.error);
    const scores = read.isOpen ? null : tried.value;
    const kept = examples ? { ...examples, ...(scores && !examples.scores ? { scores: [...scores] } : {}) } : null;
    const blob = await putModel(this.#blobs, {
      model: parts.model,
      beside,
      examples: kept,
      scored: kept?.scores ? scoredColumn(read.call) : null,
    });
    return { blob, signature: read.signature };
  }

  /**
   * The same of files that may be no model at all, without a trial: a release of it is tried before it answers anybody.
   * @throws ProblemError with why none can be made of them
   */
  async look(files: readonly NamedBlob[]): Promise<AcceptedModel> {
    const known = files.filter(({ name }) => isPlainName(name));
    const { parts, read, beside } = await this.#read({ ...NOTHING_MORE, files: known });
    const blob = await putModel(this.#blobs, { model: parts.model, beside, examples: null, scored: null });
    return { blob, signature: read.signature };
  }

  /** What the files say, before anything loads them. */
  async #read(incoming: IncomingModel) {
    const { parts, features } = await this.#found(incoming);
    const examples = incoming.examples ?? parts.examples;
    const sizes = new Map<string, number>();
    for (const [name, id] of parts.beside) sizes.set(name, await this.#size(id));
    const bytes = (await this.#size(parts.model)) + [...sizes.values()].reduce((sum, size) => sum + size, 0);
    if (bytes > MAX_MODEL_BYTES)
      throw unprocessable({
        path: "",
        expected: `a model of at most ${MAX_MODEL_BYTES.toLocaleString("en")} bytes`,
        got: bytes.toLocaleString("en"),
      });
    const file = (id: BlobId) => ({ path: this.#blobs.path(id), sha256: id.slice("sha256:".length) });
    const inspected = await this.#inTurn(() => inspectApart({ model: file(parts.model), beside: sizes }));
    if (!inspected.ok) throw new ProblemError("unprocessable", "This is no model that Evenkeel can serve.", inspected.error);
    const read = readModel(inspected.value, {
      features: incoming.features ?? features,
      given: incoming.signature,
      output: incoming.output,
    });
    const beside = new Map([...parts.beside].filter(([name]) => read.dataFiles.includes(name)));
    return { parts, examples, read, beside, bytes, file };
  }

  async #found({ blob, files }: IncomingModel): Promise<Found> {
    if ((blob === undefined) === (files === undefined)) {
      const got = blob === undefined ? "neither" : "both";
      throw new ProblemError("invalid", undefined, [{ path: "/blob", expected: "exactly one of blob and files", got }]);
    }
    if (files) return this.#foundIn(await this.#named(files));
    const id = await this.#known("/blob", blob ?? "");
    const parts = await modelParts(this.#blobs, id);
    if (!parts.ok) throw new ProblemError("unprocessable", "This is no model that Evenkeel can serve.", parts.error);
    return { parts: parts.value, features: undefined };
  }

  async #named(files: readonly NamedBlob[]): Promise<ReadonlyMap<string, BlobId>> {
    const named = new Map<string, BlobId>();
    for (const [i, { name, blob }] of files.entries()) {
      const path = `/files/${i}/name`;
      if (!isPlainName(name))
        throw invalid({ path, expected: "a file's name, without folders", got: name.slice(0, 100), hint: "weights lie beside the model" });
      if (named.has(name)) throw invalid({ path, expected: "each name once", got: name });
      named.set(name, await this.#known(`/files/${i}/blob`, blob));
    }
    return named;
  }

  async #foundIn(files: ReadonlyMap<string, BlobId>): Promise<Found> {
    const saved = await this.#mlflow(files);
    const candidates = [...files.keys()].filter((name) => name.endsWith(".onnx"));
    const name = saved?.model ?? (candidates.length === 1 ? candidates[0] : undefined);
    const model = name === undefined ? undefined : files.get(name);
    if (name === undefined || model === undefined) {
      const got = name === undefined ? candidates.join(", ") || "none" : `no ${name}, which ${MLMODEL} speaks of`;
      const other =
        saved && saved.model === undefined ? `MLflow saved it as ${saved.flavors.join(" and ")}: save it with mlflow.onnx` : undefined;
      throw unprocessable({ path: "/files", expected: "one file that ends in .onnx", got, ...(other ? { hint: other } : {}) });
    }
    const exampleId = saved?.example === undefined ? undefined : files.get(saved.example);
    const rows = exampleId && exampleRowsIn(await this.#text(exampleId));
    const beside = new Map([...files].filter(([each]) => each !== name));
    return { parts: { model, beside, examples: rows ? { rows } : null, scored: null }, features: saved?.features };
  }

  async #mlflow(files: ReadonlyMap<string, BlobId>): Promise<MlflowModel | undefined> {
    const id = files.get(MLMODEL);
    if (id === undefined) return undefined;
    const saved = readMlmodel(await this.#text(id));
    if (saved) return saved;
    throw unprocessable({ path: "/files", expected: `${MLMODEL} as MLflow writes it: YAML with flavors`, got: "something else" });
  }

  async #known(path: string, text: string): Promise<BlobId> {
    const id = blobIdAt(path, text);
    if (await this.#blobs.has(id)) {
      await this.#blobs.whole(id); // it is read by its path
      return id;
    }
    throw invalid({ path, expected: "a blob that was uploaded before", got: id });
  }

  async #text(id: BlobId): Promise<string> {
    const bytes = await this.#size(id);
    if (bytes <= MAX_TEXT_BYTES) return (await this.#blobs.get(id)).toString();
    throw unprocessable({ path: "/files", expected: `at most ${MAX_TEXT_BYTES} bytes of text about the model`, got: `${bytes}` });
  }

  async #size(id: BlobId): Promise<number> {
    return this.#blobs.size(id);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_TRIALS) throw new ProblemError("overloaded", "Many models are being tried: register it again in a while.");
    this.#waiting++;
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    try {
      return await mine;
    } catch (error) {
      if (error instanceof ScorerError) throw new ProblemError("overloaded", `The model can't be tried now: ${error.message}.`);
      throw error;
    } finally {
      this.#waiting--;
    }
  }
}

const unprocessable = (issue: Issue) => new ProblemError("unprocessable", "This is no model that Evenkeel can serve.", [issue]);
const invalid = (issue: Issue) => new ProblemError("invalid", undefined, [issue]);
