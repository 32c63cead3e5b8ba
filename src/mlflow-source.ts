/** A running MLflow server, read over its REST API: only what lies at addresses that may be called, a page and a stream at a time. */
import type { Readable } from "node:stream";
import { Agent, request, type Dispatcher } from "undici";
import { Type, type Static, type TSchema } from "typebox";
import { EgressDenied, type Egress } from "./access/index.ts";
import { checked } from "./checked.ts";

const Text = Type.Optional(Type.Union([Type.String(), Type.Null()]));
const Whole = Type.Union([Type.Number(), Type.String()]);
const Pairs = Type.Optional(Type.Array(Type.Object({ key: Type.String(), value: Text })));
const Next = { next_page_token: Text };

const Experiment = Type.Object({ experiment_id: Type.String(), name: Type.String(), tags: Pairs });
const Metric = Type.Object({
  key: Type.String(),
  value: Type.Optional(Whole),
  timestamp: Type.Optional(Whole),
  step: Type.Optional(Whole),
});
const Run = Type.Object({
  info: Type.Object({
    run_id: Type.String(),
    run_name: Text,
    user_id: Text,
    status: Type.Optional(Type.String()),
    start_time: Type.Optional(Whole),
    end_time: Type.Optional(Whole),
    artifact_uri: Text,
  }),
  data: Type.Optional(Type.Object({ metrics: Type.Optional(Type.Array(Metric)), params: Pairs, tags: Pairs })),
  inputs: Type.Optional(
    Type.Object({
      dataset_inputs: Type.Optional(Type.Array(Type.Object({ tags: Pairs, dataset: Type.Record(Type.String(), Type.Unknown()) }))),
    }),
  ),
  outputs: Type.Optional(Type.Object({ model_outputs: Type.Optional(Type.Array(Type.Object({ model_id: Type.String() }))) })),
});
const Alias = Type.Object({ alias: Type.String(), version: Whole });
const Model = Type.Object({ name: Type.String(), description: Text, tags: Pairs, aliases: Type.Optional(Type.Array(Alias)) });
const Version = Type.Object({ name: Type.String(), version: Whole, description: Text, run_id: Text, source: Text, tags: Pairs });
const File = Type.Object({ path: Type.String(), is_dir: Type.Optional(Type.Boolean()), file_size: Type.Optional(Whole) });

export type SourceExperiment = Static<typeof Experiment>;
export type SourceRun = Static<typeof Run>;
export type SourceMetric = Static<typeof Metric>;
export type SourceModel = Static<typeof Model>;
export type SourceVersion = Static<typeof Version>;
export interface SourceFile {
  /** From the root that was asked about. */
  readonly path: string;
  readonly bytes: number | null;
}

/** The server can't be read on. The message is for people. */
export class SourceTrouble extends Error {
  override readonly name = "SourceTrouble";
}

export interface SourceOptions {
  /** As an MLflow client's tracking URI: `http://mlflow.internal:5000`, with a path where it has one. */
  readonly url: string;
  readonly egress: Egress;
  /** The value of an `Authorization` header. */
  readonly authorization?: string;
  /** Waits between tries. */
  readonly sleep: (ms: number) => Promise<void>;
}

const NOT_ALLOWED =
  "private and loopback addresses are read only where --allow-private host:port names them; link-local and metadata addresses never";
const CONNECT_MS = 5_000;
/** For the head of one answer, and between two pieces of its body. */
const ANSWER_MS = 60_000;
const JSON_BYTES = 64 * 1024 * 1024;
const TRIES = 4;
const FIRST_WAIT_MS = 500;
/** Worth another try: it may go better. */
const PASSING = new Set([408, 429, 500, 502, 503, 504]);
const PAGE = 1000;
const HISTORY_PAGE = 25_000;
/** Folders in folders: a server that answers with itself would have no end. */
const DEPTH = 64;

export class MlflowSource {
  /** Without credentials, and as it is remembered where things came from. */
  readonly base: string;
  readonly #agent: Agent;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #sleep: SourceOptions["sleep"];

  constructor({ url, egress, authorization, sleep }: SourceOptions) {
    const refused = egress.check(url);
    if (refused)
      throw new SourceTrouble(`${url} can't be read: ${refused.hint === undefined ? `expected ${refused.expected}` : NOT_ALLOWED}`);
    this.base = url.replace(/[/]+$/, "");
    this.#agent = new Agent({ connect: egress.connector(CONNECT_MS), headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS });
    this.#headers = { "user-agent": "evenkeel", ...(authorization === undefined ? {} : { authorization }) };
    this.#sleep = sleep;
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  experiments(): AsyncGenerator<SourceExperiment> {
    return this.#pages("experiments/search", { max_results: PAGE, view_type: "ACTIVE_ONLY" }, "experiments", Experiment);
  }
  /** Oldest first, so that they come to lie here in the order in which they were made. */
  runs(experiment: string): AsyncGenerator<SourceRun> {
    const body = { experiment_ids: [experiment], run_view_type: "ACTIVE_ONLY", max_results: PAGE, order_by: ["attributes.start_time ASC"] };
    return this.#pages("runs/search", body, "runs", Run);
  }
  history(run: string, metric: string): AsyncGenerator<SourceMetric> {
    return this.#asked("metrics/get-history", { run_id: run, metric_key: metric, max_results: String(HISTORY_PAGE) }, "metrics", Metric);
  }
  models(): AsyncGenerator<SourceModel> {
    return this.#asked("registered-models/search", { max_results: "100" }, "registered_models", Model);
  }
  /** Oldest first. */
  async versions(model: string): Promise<readonly SourceVersion[]> {
    const found: SourceVersion[] = [];
    const filter = `name='${model.replaceAll("'", "''")}'`;
    for await (const version of this.#asked("model-versions/search", { filter, max_results: String(PAGE) }, "model_versions", Version))
      if (version.name === model) found.push(version);
    return found.toSorted((a, b) => Number(a.version) - Number(b.version));
  }
  async downloadUri(model: string, version: string): Promise<string> {
    const answer = await this.#get(`model-versions/get-download-uri`, { name: model, version }, Type.Object({ artifact_uri: Text }));
    return answer.artifact_uri ?? "";
  }

  /** All files below an artifact address, or undefined where the server doesn't hand out what lies there. */
  async files(uri: string): Promise<{ readonly root: string; readonly files: readonly SourceFile[] } | undefined> {
    const [, root] = /^mlflow-artifacts:(?:[/][/][^/]*)?[/]+(.*)$/.exec(uri) ?? [];
    if (root === undefined) return undefined;
    const files: SourceFile[] = [];
    const walk = async (folder: string, depth: number): Promise<void> => {
      if (depth > DEPTH) throw new SourceTrouble(`${uri} has folders in folders without end`);
      const path = [root, folder].filter((part) => part !== "").join("/");
      const listed = await this.#json("GET", `/api/2.0/mlflow-artifacts/artifacts?${new URLSearchParams({ path }).toString()}`, undefined);
      const parsed = parseFiles(listed);
      if (!parsed.ok) throw odd("a list of files", parsed.error[0]);
      for (const file of parsed.value.files ?? []) {
        const name = file.path.split("/").at(-1) ?? "";
        if (name === "" || name === "." || name === "..") throw new SourceTrouble(`${uri} has a file of the name "${file.path}"`);
        const at = folder === "" ? name : `${folder}/${name}`;
        if (file.is_dir) await walk(at, depth + 1);
        else files.push({ path: at, bytes: file.file_size === undefined ? null : Number(file.file_size) });
      }
    };
    await walk("", 0);
    return { root, files };
  }

  /** One file's bytes, as they come. */
  async read(root: string, path: string): Promise<Readable> {
    const address = [...root.split("/"), ...path.split("/")].map(encodeURIComponent).join("/");
    return this.#call("GET", `/api/2.0/mlflow-artifacts/artifacts/${address}`, undefined, ({ body }) => body);
  }

  async *#pages<S extends TSchema>(
    path: string,
    body: Readonly<Record<string, unknown>>,
    field: string,
    item: S,
  ): AsyncGenerator<Static<S>> {
    for (let token: string | undefined; ;) {
      const page: Page<Static<S>> = pageOf(
        await this.#json("POST", `/api/2.0/mlflow/${path}`, { ...body, page_token: token }),
        field,
        item,
      );
      yield* page.items;
      if (page.next === undefined || page.next === token) return;
      token = page.next;
    }
  }
  async *#asked<S extends TSchema>(
    path: string,
    query: Readonly<Record<string, string>>,
    field: string,
    item: S,
  ): AsyncGenerator<Static<S>> {
    for (let token: string | undefined; ;) {
      const search = new URLSearchParams({ ...query, ...(token === undefined ? {} : { page_token: token }) }).toString();
      const page: Page<Static<S>> = pageOf(await this.#json("GET", `/api/2.0/mlflow/${path}?${search}`, undefined), field, item);
      yield* page.items;
      if (page.next === undefined || page.next === token) return;
      token = page.next;
    }
  }
  async #get<S extends TSchema>(path: string, query: Readonly<Record<string, string>>, schema: S): Promise<Static<S>> {
    const parsed = checked(schema)(await this.#json("GET", `/api/2.0/mlflow/${path}?${new URLSearchParams(query).toString()}`, undefined));
    if (!parsed.ok) throw odd(path, parsed.error[0]);
    return parsed.value;
  }

  async #json(method: "GET" | "POST", path: string, body: unknown): Promise<unknown> {
    const text = await this.#call(method, path, body, async (answer) => (await this.#whole(answer.body)).toString("utf8"));
    try {
      return JSON.parse(text);
    } catch {
      throw new SourceTrouble(`${this.base} doesn't answer as MLflow does: what came from ${path.split("?")[0]} is no JSON`);
    }
  }

  async #whole(body: Readable): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body) {
      const piece = asBuffer(chunk);
      bytes += piece.length;
      if (bytes > JSON_BYTES) throw new SourceTrouble(`${this.base} answered more than ${JSON_BYTES} bytes at once`);
      chunks.push(piece);
    }
    return Buffer.concat(chunks);
  }

  /** @param read - what is wanted of the answer; asked again where that breaks off */
  async #call<T>(method: "GET" | "POST", path: string, body: unknown, read: (answer: Answer) => T | Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const tried = await this.#try(method, path, body, read);
      if (tried.ok) return tried.value;
      if (attempt === TRIES || !tried.isPassing) throw new SourceTrouble(tried.why);
      await this.#sleep(FIRST_WAIT_MS * 2 ** (attempt - 1));
    }
  }

  async #try<T>(method: "GET" | "POST", path: string, body: unknown, read: (answer: Answer) => T | Promise<T>): Promise<Tried<T>> {
    const place = `${this.base}${path.split("?")[0]}`;
    try {
      const answer = await request(`${this.base}${path}`, {
        method,
        dispatcher: this.#agent,
        headers: { ...this.#headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const { statusCode: status } = answer;
      if (status >= 200 && status < 300) return { ok: true, value: await read(answer) };
      const text = (await this.#whole(answer.body)).toString("utf8").slice(0, 300);
      const hint =
        status === 401 || status === 403 ? " (MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and _PASSWORD, say who asks)" : "";
      return { ok: false, isPassing: PASSING.has(status), why: `${place} answered ${status}${hint}: ${text}` };
    } catch (error) {
      if (error instanceof SourceTrouble) throw error;
      if (error instanceof EgressDenied) return { ok: false, isPassing: false, why: `${place} can't be read: ${NOT_ALLOWED}` };
      const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
      return { ok: false, isPassing: true, why: `${place} can't be reached, or broke off (${code})` };
    }
  }
}

type Answer = Dispatcher.ResponseData;
type Tried<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly isPassing: boolean; readonly why: string };

interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | undefined;
}
const parsePage = checked(Type.Object(Next));
const parseFiles = checked(Type.Object({ files: Type.Optional(Type.Array(File)) }));

function pageOf<S extends TSchema>(value: unknown, field: string, item: S): Page<Static<S>> {
  const page = parsePage(value);
  const list = checked(Type.Array(item))(fieldOf(value, field) ?? []);
  if (!page.ok) throw odd(field, page.error[0]);
  if (!list.ok) throw odd(field, list.error[0]);
  return { items: list.value, next: page.value.next_page_token || undefined };
}
const fieldOf = (value: unknown, field: string): unknown =>
  typeof value === "object" && value !== null && field in value ? Object.entries(value).find(([key]) => key === field)?.[1] : undefined;

const odd = (what: string, issue: { readonly path: string; readonly expected: string } | undefined) =>
  new SourceTrouble(
    `the server doesn't answer as MLflow does: in ${what}, ${issue?.path ?? ""} should be ${issue?.expected ?? "something else"}`,
  );

/** A body without an encoding gives buffers. */
const asBuffer = (chunk: unknown): Buffer =>
  chunk instanceof Uint8Array ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.from(String(chunk));
