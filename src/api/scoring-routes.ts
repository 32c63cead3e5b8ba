/** MLflow's scoring protocol at `/endpoints/{name}/invocations`, and KServe's first one at `/v1/models/{name}:predict`. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { shown } from "../checked.ts";
import type { DecisionReply } from "../serving/index.ts";
import type { Issue, Result } from "../std.ts";
import { MANY_ROWS_LIMITS, MAX_APPLICATIONS } from "./batch-routes.ts";
import { askedRelease } from "./asked-release.ts";
import { idempotencyKeyOf } from "./idempotency-key.ts";
import { inflated, reachable, viewOf, type ProtocolParts } from "./oip-routes.ts";
import { ProblemError } from "./problem.ts";
import { answerErrorsAs, errorCode, errorText, sendJson, sentence } from "./protocol-errors.ts";
import { decideRows, type ProtocolRow, type RowFault } from "./protocol-rows.ts";
import { readCsv, readTable, setParams, type PredictionName } from "./scoring-tables.ts";
import { principalOf, type Server } from "./server.ts";
import { traceOf } from "./traces.ts";
import { parseStrictJson } from "./strict-json.ts";
import { given, isObject } from "./tensors.ts";

/** Of MLflow, whose scoring and tracking protocols we answer as. */
export const MLFLOW_VERSION = "3.11.0";
const MAX_BYTES = 16 * 1024 * 1024;

/** `/ping` and its like answer as the original does: a newline that calls itself JSON. */
const newline = (reply: FastifyReply) => sendJson(reply, 200, Buffer.from("\n"));

export const mlflowScoringRoutes = (parts: ProtocolParts) => (app: Server) => {
  prepare(app);
  answerErrorsAs(app, errorCode, parts.onError);
  const about = (summary: string) => ({ schema: { summary, tags: ["mlflow scoring"] } });
  const open = { right: "public" } as const;
  for (const url of ["/ping", "/health"])
    app.get(url, { config: open, ...about("Whether anything can answer") }, async (_request, reply) => {
      const areAny = parts.endpoints().some((name) => parts.gateway.view(name) !== undefined);
      if (!areAny) throw new ProblemError("not-found", "There is no endpoint that can answer yet.");
      return newline(reply);
    });
  app.get("/version", { config: open, ...about("The version of MLflow that this is compatible with") }, async (_request, reply) =>
    reply.type("text/plain; charset=utf-8").send(MLFLOW_VERSION),
  );
  const describe = { right: "describe" } as const;
  app.get("/endpoints/:endpoint/ping", { config: describe, ...about("Whether the endpoint can answer") }, async (request, reply) => {
    viewOf(parts.gateway, asParams(request.params).endpoint);
    return newline(reply);
  });
  const options = {
    config: { right: "decide", takesRelease: true, takesCompressed: true },
    bodyLimit: MAX_BYTES,
    ...about("Decide about the people in the rows"),
  } as const;
  app.post("/endpoints/:endpoint/invocations", options, async (request, reply) =>
    invoke(parts, asParams(request.params).endpoint, request, reply),
  );
  app.post("/invocations", options, async (request, reply) => {
    const names = reachable(parts, request);
    const [only] = names;
    if (only !== undefined && names.length === 1) return invoke(parts, only, request, reply);
    const how = names.length === 0 ? "there is none" : `there are ${names.length}`;
    throw new ProblemError("not-found", `/invocations is for the only endpoint, and ${how}: ask /endpoints/{name}/invocations.`);
  });
};

export const kserveRoutes = (parts: ProtocolParts) => (app: Server) => {
  prepare(app);
  answerErrorsAs(app, errorText, parts.onError);
  app.post(
    "/v1/models/:endpoint(^[^:/]+)::predict",
    {
      config: { right: "decide", takesRelease: true, takesCompressed: true },
      bodyLimit: MAX_BYTES,
      schema: { summary: "Decide about the people in the rows", tags: ["kserve v1"] },
    },
    async (request, reply) => {
      const { endpoint } = asParams(request.params);
      const body = jsonIn(request);
      const rows = readTable(body, viewOf(parts.gateway, endpoint).endpoint, ["instances", "inputs"]);
      const decided = await decideTable(parts, { endpoint, rows, params: {} }, request, reply);
      return sendJson(reply, 200, { predictions: predictionsOf(parts, endpoint, decided, []) });
    },
  );
};

function prepare(app: Server): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: MAX_BYTES }, (_request, body, done) => done(null, body));
  app.addHook("onSend", async (request, reply) => void reply.header("x-request-id", request.id));
}

async function invoke(parts: ProtocolParts, endpoint: string, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const type = request.headers["content-type"];
  const unsupported = unsupportedType(type);
  if (unsupported !== undefined) return reply.code(415).type("text/plain; charset=utf-8").send(unsupported);
  const { endpoint: compiled } = viewOf(parts.gateway, endpoint);
  const isCsv = mediaType(type) === "text/csv";
  const body = isCsv ? undefined : jsonIn(request);
  const rows = isCsv ? readCsv(textIn(request), compiled) : readTable(body, compiled);
  if (!rows.ok) throw refused(rows.error);
  const params = (isObject(body) ? given(body, "params") : undefined) ?? {};
  if (!isObject(params)) throw refused({ path: "/params", expected: "an object", got: shown(params) });
  const wanted = wantedIn(params["return"]);
  const decided = await decideTable(parts, { endpoint, rows, params }, request, reply);
  return sendJson(reply, 200, {
    predictions: predictionsOf(parts, endpoint, decided, wanted),
    decisions: decided.map(({ id, action, score, release }) => ({ id, action, score, release })),
  });
}

const mediaType = (type: string | undefined) => type?.split(";")[0]?.trim().toLowerCase();

/** The original's own words, where it or we can't read the type. */
function unsupportedType(type: string | undefined): string | undefined {
  const media = mediaType(type);
  if (media !== "application/json" && media !== "text/csv") {
    const parquet = media === "application/vnd.apache.parquet" ? " Evenkeel takes the first two." : "";
    const types = "['text/csv', 'application/json', 'application/vnd.apache.parquet']";
    return `This predictor only supports the following content types: Types: ${types}. Got '${type ?? ""}'.${parquet}`;
  }
  const parameters = (type ?? "").split(";").slice(1);
  const names = parameters.map((parameter) => parameter.split("=")[0]?.trim().toLowerCase() ?? "");
  if (parameters.some((parameter) => /^\s*charset\s*=/i.test(parameter) && !/=\s*"?utf-?8"?\s*$/i.test(parameter)))
    return "The scoring server only supports UTF-8";
  const odd = names.filter((name) => name !== "charset" && name !== "");
  return odd.length > 0 ? `Unrecognized content type parameters: ${odd.join(", ")}.` : undefined;
}

function textIn(request: FastifyRequest): string {
  const bytes = inflated(request, MAX_BYTES);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ProblemError("bad-json", "The table is not UTF-8.");
  }
}

function jsonIn(request: FastifyRequest): unknown {
  const parsed = parseStrictJson(inflated(request, MAX_BYTES), MANY_ROWS_LIMITS);
  if (!parsed.ok) throw new ProblemError("bad-json", sentence(parsed.error), [parsed.error]);
  return parsed.value.value;
}

interface Table {
  readonly endpoint: string;
  readonly rows: Result<readonly ProtocolRow[], Issue>;
  readonly params: Readonly<Record<string, unknown>>;
}

async function decideTable(
  parts: ProtocolParts,
  { endpoint, rows, params }: Table,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<readonly DecisionReply[]> {
  const receivedAtUs = parts.clock.monotonicUs();
  if (!rows.ok) throw refused(rows.error);
  if (rows.value.length > MAX_APPLICATIONS) throw new ProblemError("too-large", `At most ${MAX_APPLICATIONS} rows in one request.`);
  const wrong = setParams(rows.value, params, viewOf(parts.gateway, endpoint).endpoint);
  if (wrong) throw refused(wrong);
  const decided = await decideRows(parts.gateway, {
    endpoint,
    rows: rows.value,
    source: principalOf(request).tokenId,
    receivedAtUs,
    ...traceOf(request),
    requestKey: idempotencyKeyOf(request),
    pinned: askedRelease(request, parts, endpoint),
    refuse: refusedRows,
  });
  if (decided.length > 0 && decided.every(({ isReplay }) => isReplay)) void reply.header("idempotent-replayed", "true");
  return decided.map((one) => one.reply);
}

function refused(issue: Issue): ProblemError {
  const isWhole = issue.got?.startsWith("Model is missing") || issue.got?.startsWith("row ");
  return new ProblemError("invalid", isWhole ? issue.got : `${issue.path || "the body"}: ${sentence(issue)}`, [issue]);
}

/** As MLflow's users read it: the row and the column. */
function refusedRows(faults: readonly RowFault[]): ProblemError {
  const [first] = faults;
  const got = first?.got === undefined ? "" : `, got ${first.got}`;
  const message = first ? `row ${first.row}: '${first.name}' must be ${first.expected}${got}` : undefined;
  const issues = faults.map(({ path, expected, got: came, hint }) => ({
    path,
    expected,
    ...(came === undefined ? {} : { got: came }),
    ...(hint === undefined ? {} : { hint }),
  }));
  return new ProblemError("invalid", message, issues.slice(0, 20));
}

const NAMES: readonly PredictionName[] = ["action", "score", "label"];

/** `params.return`: a name, or a list of them. */
function wantedIn(asked: unknown): readonly PredictionName[] {
  const list: readonly unknown[] = asked === undefined || asked === null ? [] : Array.isArray(asked) ? asked : [asked];
  return list.map((name) => {
    const known = NAMES.find((one) => one === name);
    if (!known) throw refused({ path: "/params/return", expected: `one of ${NAMES.join(", ")}, or a list of them`, got: shown(name) });
    return known;
  });
}

/** One value a row, or an object where several are wanted. */
function predictionsOf(
  parts: ProtocolParts,
  endpoint: string,
  replies: readonly DecisionReply[],
  asked: readonly PredictionName[],
): readonly unknown[] {
  const { actions } = viewOf(parts.gateway, endpoint).endpoint;
  const wanted = asked.length > 0 ? asked : (parts.outputsOf(endpoint).predictions ?? ["action"]);
  const valueOf = (reply: DecisionReply, name: PredictionName) =>
    name === "action" ? reply.action : name === "score" ? reply.score : actions[reply.action]?.favourable ? 1 : 0;
  const [only] = wanted;
  return replies.map((reply) =>
    only !== undefined && wanted.length === 1
      ? valueOf(reply, only)
      : Object.fromEntries(wanted.map((name) => [name, valueOf(reply, name)])),
  );
}

/** The routes' own patterns name them. */
const asParams = (params: unknown) => params as { readonly endpoint: string };
