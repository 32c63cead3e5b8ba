/** `evenkeel guardrail simulate`: asks the server, or reads a data folder on which none runs. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { SimulationView } from "../api/index.ts";
import { nearest } from "../checked.ts";
import { readEndpoints, readReleases, simulateGuardrails, simulationQuestion, type SimulatedTest } from "../releases/index.ts";
import { systemRuntime, viewStore } from "../store/index.ts";
import { parseYaml } from "../yaml.ts";
import { FileError, brokenText, readText } from "./files.ts";
import { evidence, moment, ratio } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { UsageError, type VerbContext } from "./verb.ts";

interface SimulateWords {
  readonly file?: string | undefined;
  readonly release?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly url?: string | undefined;
  readonly data?: string | undefined;
  readonly json?: boolean | undefined;
}

export async function simulate(context: VerbContext, endpoint: string, words: SimulateWords): Promise<number> {
  const { io, client } = context;
  const declared = words.file === undefined ? {} : await declaredIn(context, words.file, endpoint);
  const body = {
    ...declared,
    ...(words.release === undefined ? {} : { release: words.release }),
    ...(words.from === undefined ? {} : { from: words.from }),
    ...(words.to === undefined ? {} : { to: words.to }),
  };
  io.progress("simulating");
  const folder = folderAtRest(context, words);
  const view =
    folder === null
      ? await client().post<SimulationView>(`/v1/endpoints/${encodeURIComponent(endpoint)}/guardrails/simulation`, body, {
          timeoutMs: 10 * 60_000,
        })
      : await fromFolder(folder, endpoint, body);
  io.progress(undefined);
  io.out(words.json ? JSON.stringify(view) : simulationText(io, view));
  return view.tests.some(({ proven }) => proven !== null) ? 3 : 0;
}

/** The guardrails and budget of the endpoint that a file declares. */
async function declaredIn(
  { cwd }: VerbContext,
  file: string,
  endpoint: string,
): Promise<{ readonly guardrails: unknown; readonly budget?: unknown }> {
  const documents = parseYaml(await readText(cwd, file));
  if (!documents.ok) throw new FileError(brokenText(`${file} is no YAML:`, documents.error));
  const endpoints = documents.value.flatMap(({ value }) => (isRecord(value) && "inputs" in value ? [value] : []));
  const found = endpoints.find(({ name }) => name === endpoint);
  if (!found) {
    const names = endpoints.map(({ name }) => String(name));
    throw new FileError(`${file} declares no endpoint ${endpoint}${names.length > 0 ? `, but ${names.join(", ")}` : ""}`);
  }
  return { guardrails: found["guardrails"] ?? [], ...(found["budget"] === undefined ? {} : { budget: found["budget"] }) };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A data folder that was named, or is here, and that no server holds; null: a server is to be asked. */
function folderAtRest({ cwd, env }: VerbContext, { url, data }: SimulateWords): string | null {
  if (url !== undefined || env["EVENKEEL_URL"] !== undefined) return null;
  const folder = resolve(cwd, data ?? env["EVENKEEL_DATA"] ?? "evenkeel-data");
  return !existsSync(join(folder, "control.sock")) && existsSync(join(folder, "evenkeel.db")) ? folder : null;
}

async function fromFolder(
  folder: string,
  endpoint: string,
  {
    release,
    from,
    to,
    ...asked
  }: { readonly release?: string; readonly from?: string; readonly to?: string; readonly guardrails?: unknown; readonly budget?: unknown },
): Promise<SimulationView> {
  const store = await viewStore({ folder }, systemRuntime());
  try {
    const definitions = await readEndpoints(store.db);
    const definition = definitions.find(({ compiled }) => compiled.name === endpoint);
    if (!definition) {
      const near = nearest(
        endpoint,
        definitions.map(({ compiled }) => compiled.name),
      );
      throw new FileError(`there is no endpoint ${endpoint} in ${folder}${near ? `; did you mean ${near}?` : ""}`);
    }
    const releases = await readReleases(store.db, definition.compiled.name);
    const chosen = releases.filter(({ number }) => release === undefined || release === `r${number}` || release === String(number));
    if (chosen.length === 0)
      throw new FileError(
        `${endpoint} has no release ${release ?? ""}; its releases are ${releases.map(({ number }) => `r${number}`).join(", ")}`,
      );
    const question = simulationQuestion(
      definition,
      chosen.map(({ id }) => id),
      {
        ...asked,
        ...(from === undefined ? {} : { fromMs: timeOf("--from", from) }),
        ...(to === undefined ? {} : { toMs: timeOf("--to", to) }),
      },
    );
    if (!question.ok) throw new FileError(brokenText("these guardrails could not be declared:", question.error));
    const { tests, leftOut } = await simulateGuardrails(store.db, question.value);
    const nameOf = new Map(releases.map(({ id, number }) => [id, `r${number}`]));
    return { tests: tests.map((test) => viewOf(test, nameOf.get(test.release) ?? test.release)), leftOut: [...leftOut] };
  } finally {
    await store.close();
  }
}

function timeOf(option: string, text: string): number {
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs)) throw new UsageError(`${option} takes a time in ISO 8601, 2026-12-20T00:00:00Z, not "${text}"`);
  return atMs;
}

/** Whoever can read the folder may see everything in it. */
function viewOf({ armClass, state, proven }: SimulatedTest, release: string): SimulationView["tests"][number] {
  const interval = ([low, high]: readonly [number, number | null]) => ({ low, high });
  return {
    guardrail: state.guardrail,
    metric: state.metric,
    action: state.action,
    release,
    arm: armClass,
    group: state.groupLabel,
    reference: state.reference ?? "nobody",
    limit: state.limit,
    direction: state.direction,
    state: state.word,
    groupDecisions: state.groupN,
    referenceDecisions: state.referenceN,
    estimate: state.estimate,
    band: state.estimate === null ? null : interval(state.band),
    likeForLike: state.likeForLike,
    likeForLikeInterval: state.likeForLikeInterval && interval(state.likeForLikeInterval),
    mixDiffers: state.mixDiffers,
    isNamed: state.isNamed,
    isWarned: state.isWarned,
    why: state.why,
    odds: state.odds,
    evidence: Math.exp(Math.min(state.logE, 700)),
    threshold: Math.exp(state.threshold),
    forecastDecisions: state.forecastDecisions,
    paused: state.paused,
    proven: proven && { at: new Date(proven.atMs).toISOString(), decisions: proven.decisions },
  };
}

function simulationText(io: Io, { tests, leftOut }: SimulationView): string {
  const rows = tests.map((one) => [
    one.release,
    one.arm,
    one.guardrail,
    one.group,
    one.proven ? styled(io, "red", "proven") : one.state,
    one.proven ? `${moment(one.proven.at)}, after ${one.proven.decisions.toLocaleString("en")} decisions` : null,
    one.groupDecisions,
    ratio(one.estimate),
    ratio(one.limit),
    `${evidence(one.evidence)} of ${evidence(one.threshold)}`,
  ]);
  return [
    table(
      io,
      ["release", "arm", "guardrail", "group", "state", "proof", "n", "pooled", "limit", "evidence at the end"],
      rows,
      "no decisions to simulate on",
    ),
    ...leftOut.map(({ guardrail, why }) => `${guardrail} is left out: ${why}`),
  ].join("\n");
}
