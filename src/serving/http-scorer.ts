/** Scores by a model behind a server: what it is sent is made here, the model runs wherever it runs. */
import { EGRESS_HINT } from "../access/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import type { Clock, Random } from "../store/index.ts";
import { CelFailure } from "./cel.ts";
import type { CompiledEndpoint } from "./endpoint.ts";
import type { CompiledFeatures } from "./features.ts";
import { unknownSecret } from "./container-body.ts";
import { CallFailed, HttpCaller, type CallGuard } from "./http-caller.ts";
import { HttpModel, type HttpModelStats } from "./http-model.ts";
import type { HttpScorerSpec } from "./http-scorer-spec.ts";
import type { Inputs } from "./inputs.ts";
import { metadataTrouble } from "./oip-metadata.ts";
import type { TraceContext } from "./trace-context.ts";
import { ScorerError, checkedScore, type Scored, type Scorer, type ScorerRows } from "./scorer.ts";
import { wireFormOf, type Cell, type Column, type WireForm } from "./wire-forms.ts";

/** What calling other servers needs of the world. */
export interface HttpDependencies {
  readonly egress: CallGuard;
  readonly random: Random;
  /** Values for headers, by the names that releases know them by. */
  readonly secrets: Readonly<Record<string, string>>;
}

const MANY_TIMEOUT_MS = 10_000;
const READY_TIMEOUT_MS = 5000;

export class HttpScorer implements Scorer {
  readonly #model: HttpModel;
  readonly #rowOf: (inputs: Inputs) => readonly Cell[];
  readonly #timeoutMs: number;
  readonly #chunksAtOnce: number;
  readonly rows: ScorerRows;

  constructor(options: {
    readonly model: HttpModel;
    readonly columns: ScorerRows["columns"];
    readonly rowOf: (inputs: Inputs) => readonly Cell[];
    readonly timeoutMs: number;
    readonly connections: number;
  }) {
    this.#model = options.model;
    this.#rowOf = options.rowOf;
    this.#timeoutMs = options.timeoutMs;
    // Half of the connections stay free for decisions.
    this.#chunksAtOnce = Math.max(1, Math.floor(options.connections / 2));
    this.rows = { columns: options.columns, rowOf: options.rowOf, score: (rows) => this.#scoreRows(rows) };
  }

  stats(): HttpModelStats {
    return this.#model.stats();
  }

  health(): { readonly isUp: boolean; readonly breaks: number } {
    const { breaker, opened } = this.#model.stats();
    return { isUp: breaker !== "open", breaks: opened };
  }

  async score(inputs: Inputs, timeoutMs: number, trace?: TraceContext): Promise<Scored> {
    const scores = await this.#model.run([this.#rowOf(inputs)], Math.min(timeoutMs, this.#timeoutMs), trace);
    return { score: checkedScore(scores[0] ?? Number.NaN), reasons: [] };
  }

  async scoreMany(inputs: readonly Inputs[]): Promise<readonly (Scored | ScorerError)[]> {
    const size = this.#model.maxRows;
    const chunks = Array.from({ length: Math.ceil(inputs.length / size) }, (_, i) => inputs.slice(i * size, (i + 1) * size));
    const answers: (Scored | ScorerError)[] = [];
    for (let at = 0; at < chunks.length; at += this.#chunksAtOnce) {
      const some = await Promise.all(chunks.slice(at, at + this.#chunksAtOnce).map((chunk) => this.#scoreChunk(chunk)));
      answers.push(...some.flat());
    }
    return answers;
  }

  close(): Promise<void> {
    return this.#model.close();
  }

  async #scoreRows(rows: readonly (readonly Cell[])[]): Promise<Float64Array> {
    const size = this.#model.maxRows;
    const scores = new Float64Array(rows.length);
    for (let at = 0; at < rows.length; at += size) {
      const some = await this.#model.run(rows.slice(at, at + size), MANY_TIMEOUT_MS);
      for (const [i, score] of some.entries()) scores[at + i] = checkedScore(score);
    }
    return scores;
  }

  async #scoreChunk(inputs: readonly Inputs[]): Promise<readonly (Scored | ScorerError)[]> {
    const rows = inputs.map((each) => caught(() => this.#rowOf(each)));
    const known = rows.filter(isRow);
    const scores = known.length === 0 ? new Float64Array() : await this.#model.run(known, MANY_TIMEOUT_MS).catch(asScorerError);
    let next = 0;
    return rows.map((row) => {
      if (row instanceof ScorerError) return row;
      if (scores instanceof ScorerError) return scores;
      const score = scores[next++] ?? Number.NaN;
      return caught(() => ({ score: checkedScore(score), reasons: [] }));
    });
  }
}

const isRow = (row: readonly Cell[] | ScorerError): row is readonly Cell[] => !(row instanceof ScorerError);

function caught<T>(work: () => T): T | ScorerError {
  try {
    return work();
  } catch (error) {
    return asScorerError(error);
  }
}

function asScorerError(error: unknown): ScorerError {
  if (error instanceof ScorerError) return error;
  throw error;
}

/**
 * Opens a scorer, unless the server may not be called, isn't ready, or doesn't fit what it would be sent. Issues have paths below the
 * scorer.
 */
export async function openHttpScorer(
  spec: HttpScorerSpec,
  { features, endpoint }: { readonly features: CompiledFeatures; readonly endpoint: CompiledEndpoint },
  { clock, http: { egress, random, secrets } }: { readonly clock: Clock; readonly http: HttpDependencies },
): Promise<Result<HttpScorer, readonly Issue[]>> {
  const { connections = 4 } = spec;
  const columns = columnsOf(spec, features, endpoint);
  const headers = headersOf(spec, secrets);
  const address = egress.check(spec.url);
  const issues = [...(address ? [{ path: "/url", ...address }] : []), ...(headers.ok ? [] : headers.error), ...layoutIssues(spec, columns)];
  if (!headers.ok || issues.length > 0) return err(issues);
  const caller = new HttpCaller({ egress, connections, headers: headers.value });
  const form = wireFormOf(spec, columns);
  const trouble = (await notReady(caller, form)) ?? (await metadataIssue(caller, form, spec, columns));
  if (trouble) {
    await caller.close();
    return err([trouble]);
  }
  const jitter = () => random.bytes(4).readUInt32LE() / 2 ** 32;
  return ok(
    new HttpScorer({
      model: new HttpModel({ caller, form, clock, connections, jitter }),
      columns: { kind: spec.send ?? "features", names: columns.map(({ name }) => name) },
      rowOf: rowMaker(spec, features, columns),
      timeoutMs: spec.timeout_ms ?? Number.POSITIVE_INFINITY,
      connections,
    }),
  );
}

function columnsOf(spec: HttpScorerSpec, features: CompiledFeatures, endpoint: CompiledEndpoint): readonly Column[] {
  if (spec.send !== "inputs")
    return features.names.map((name, i) => ({ name, type: features.texts.has(i) ? "string" : "number", isOptional: true }));
  // An endpoint's inputs have no order that is kept (its definition is content); a row by position must have the same one for ever.
  const byName = [...endpoint.variables].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return byName.map(([name, { type, optional }]) => ({ name, type, isOptional: optional }));
}

function rowMaker(spec: HttpScorerSpec, features: CompiledFeatures, columns: readonly Column[]): (inputs: Inputs) => readonly Cell[] {
  if (spec.send === "inputs") return (inputs) => columns.map(({ name }) => inputs[name] ?? null);
  return (inputs) => {
    const row = new Float32Array(features.width);
    try {
      features.derive(inputs, row, 0);
    } catch (error) {
      if (error instanceof CelFailure) throw new ScorerError("not-computable", error.message, { cause: error });
      throw error;
    }
    // JSON has neither NaN nor infinities; what can't be said is missing.
    return Array.from(row, (value, i) => (Number.isFinite(value) ? (features.texts.get(i)?.textOf(value) ?? value) : null));
  };
}

/** These say how a message is sent, not what is meant by it; they are made here. */
const OWN_HEADERS = new Set(
  "host connection content-length transfer-encoding content-type content-encoding accept-encoding te trailer upgrade expect keep-alive".split(
    " ",
  ),
);

/** Headers with their secrets filled in. Issues have paths below the scorer. */
export function headersOf(
  spec: HttpScorerSpec,
  secrets: Readonly<Record<string, string>>,
): Result<Record<string, string>, readonly Issue[]> {
  const issues: Issue[] = [];
  const headers = Object.entries(spec.headers ?? {}).map(([name, value]): [string, string] => {
    const path = `/headers/${name}`;
    if (OWN_HEADERS.has(name.toLowerCase())) issues.push({ path, expected: "a header that isn't about the transfer", got: name });
    if (typeof value === "string") return [name, value];
    const secret = Object.hasOwn(secrets, value.secret) ? secrets[value.secret] : undefined;
    if (secret === undefined) issues.push(unknownSecret(path, value.secret));
    return [name, secret ?? ""];
  });
  return issues.length > 0 ? err(issues) : ok(Object.fromEntries(headers));
}

function layoutIssues(spec: HttpScorerSpec, columns: readonly Column[]): readonly Issue[] {
  if (spec.protocol !== "oip" || spec.layout !== "tensor") return [];
  const text = columns.find(({ type }) => type === "string");
  return text ? [{ path: "/layout", expected: "columns, where a text is sent", got: `tensor, and ${text.name} is a text` }] : [];
}

/** What is said where a server answers 200 once it is ready. */
export async function notReady(caller: HttpCaller, form: WireForm, timeoutMs = READY_TIMEOUT_MS): Promise<Issue | undefined> {
  for (const url of form.ready) {
    const path = new URL(url).pathname;
    try {
      const { status } = await caller.get(url, timeoutMs);
      if (status !== 200)
        return { path: "/url", expected: "a server that is ready", got: `GET ${path} was answered with status ${status}` };
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      return unreachableIssue(`GET ${path}: ${error.message}`, error);
    }
  }
  return undefined;
}

const unreachableIssue = (got: string, { trouble, wasSent }: CallFailed): Issue => ({
  path: "/url",
  expected: "a server that is ready",
  got,
  ...(trouble === "down" && !wasSent ? { hint: `is it running? ${EGRESS_HINT}` } : {}),
});

async function metadataIssue(
  caller: HttpCaller,
  form: WireForm,
  spec: HttpScorerSpec,
  columns: readonly Column[],
): Promise<Issue | undefined> {
  if (form.metadata === null || spec.protocol !== "oip") return undefined;
  try {
    const { status, text } = await caller.get(form.metadata, READY_TIMEOUT_MS);
    return status === 200 ? metadataTrouble(text, spec, columns) : undefined; // not every server has it
  } catch (error) {
    if (!(error instanceof CallFailed)) throw error;
    return unreachableIssue(`its metadata: ${error.message}`, error);
  }
}
