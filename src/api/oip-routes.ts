/** The Open Inference Protocol (KServe's V2), as clients of Triton, KServe and MLServer speak it. */
import { inflateSync, gunzipSync } from "node:zlib";
import type { FastifyReply, FastifyRequest } from "fastify";
import { reaches } from "../access/index.ts";
import { shown } from "../checked.ts";
import { loadedIn, type CompiledEndpoint, type Gateway, type RouteView } from "../serving/index.ts";
import type { Issue, ReleaseId } from "../std.ts";
import type { Clock } from "../store/index.ts";
import { MANY_ROWS_LIMITS } from "./batch-routes.ts";
import { RELEASE_HEADER, askedRelease, loadedRelease, releaseNamed } from "./asked-release.ts";
import { idempotencyKeyOf } from "./idempotency-key.ts";
import { DEFAULT_OUTPUTS, OUTPUTS, inferReply, wantedOutputs, type OutputName } from "./oip-reply.ts";
import { ProblemError } from "./problem.ts";
import { answerErrorsAs, errorText, sendJson, sentence } from "./protocol-errors.ts";
import { decideRows } from "./protocol-rows.ts";
import { rowsOfTensors } from "./rows-of-tensors.ts";
import type { PredictionName } from "./scoring-tables.ts";
import { notFound, principalOf, type Server } from "./server.ts";
import { traceOf } from "./traces.ts";
import { parseStrictJson } from "./strict-json.ts";
import { NEEDS_HEADER, given, isObject, readTensors } from "./tensors.ts";

export interface ProtocolParts {
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly version: string;
  /** Names of all endpoints. */
  readonly endpoints: () => readonly string[];
  /** Whether a decision asked for now would be answered everywhere. */
  readonly isReady: () => boolean;
  readonly isCondemned: (endpoint: string, release: ReleaseId) => boolean;
  /** What the endpoint's settings say of these protocols. */
  readonly outputsOf: (endpoint: string) => {
    readonly oip?: readonly OutputName[];
    readonly predictions?: readonly PredictionName[];
  };
  readonly onError?: (error: Error, requestId: string) => void;
}

const MAX_ROWS = 1000;
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_DEADLINE_MS = 3_600_000;

export const oipRoutes = (parts: ProtocolParts) => (app: Server) => {
  const { gateway } = parts;
  answerErrorsAs(app, errorText, parts.onError);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: MAX_BYTES }, (_request, body, done) => done(null, body));
  app.addHook("onSend", async (request, reply) => void reply.header("x-request-id", request.id));
  const about = (summary: string) => ({ schema: { summary, tags: ["open inference protocol"] } });
  const open = { right: "public" } as const;
  const describe = { right: "describe" } as const;

  for (const url of ["/v2", "/v2/"])
    app.get(url, { config: open, ...about("What this server is") }, async (_request, reply) =>
      sendJson(reply, 200, { name: "evenkeel", version: parts.version, extensions: ["binary_tensor_data"] }),
    );
  app.get("/v2/health/live", { config: open, ...about("The process is up") }, async (_request, reply) =>
    sendJson(reply, 200, { live: true }),
  );
  app.get("/v2/health/ready", { config: open, ...about("Every endpoint can answer") }, async (_request, reply) => {
    if (!parts.isReady()) throw new ProblemError("not-ready", "A release that should answer is not loaded yet.");
    return sendJson(reply, 200, { ready: true, live: true });
  });
  app.get("/v2/models", { config: describe, ...about("Endpoints that answer") }, async (request, reply) =>
    sendJson(reply, 200, { models: reachable(parts, request) }),
  );
  for (const versioned of ["", "/versions/:version"]) {
    const model = `/v2/models/:endpoint${versioned}`;
    app.get(model, { config: describe, ...about("What an endpoint asks and answers") }, async (request, reply) => {
      const { endpoint, version } = asParams(request.params);
      const view = viewOf(gateway, endpoint);
      const versions =
        version === undefined ? loadedIn(view).map(({ number }) => `r${number}`) : [nameOf(view, releaseNamed(view, version))];
      return sendJson(reply, 200, {
        name: endpoint,
        versions,
        platform: "evenkeel_endpoint",
        ...described(view.endpoint, parts.outputsOf(endpoint).oip ?? DEFAULT_OUTPUTS),
      });
    });
    app.get(`${model}/ready`, { config: describe, ...about("Whether it can answer") }, async (request, reply) => {
      const { endpoint, version } = asParams(request.params);
      const view = viewOf(gateway, endpoint);
      if (version !== undefined) {
        const release = releaseNamed(view, version);
        if (!loadedIn(view).some(({ id }) => id === release)) throw new ProblemError("not-ready", `${version} is not loaded.`);
      }
      return sendJson(reply, 200, { name: endpoint, ready: true });
    });
    app.post(
      `${model}/infer`,
      {
        config: { right: versioned === "" ? "decide" : "decide:pinned", takesRelease: true, takesCompressed: true },
        bodyLimit: MAX_BYTES,
        ...about("Decide about the people in the rows"),
      },
      async (request, reply) => infer(parts, request, reply),
    );
  }
  app.post("/v2/repository/index", { config: describe, ...about("Releases and whether they are loaded") }, async (request, reply) =>
    sendJson(
      reply,
      200,
      reachable(parts, request).flatMap((name) =>
        loadedIn(viewOf(gateway, name)).map(({ number }) => ({ name, version: `r${number}`, state: "READY", reason: "" })),
      ),
    ),
  );
  for (const change of ["load", "unload"])
    app.post(
      `/v2/repository/models/:endpoint/${change}`,
      { config: describe, ...about("Refused: releases change otherwise") },
      async () => {
        throw new ProblemError("forbidden", "releases are changed with evenkeel deploy, promote and rollback");
      },
    );
  app.all("/v2/*", { config: open, schema: { hide: true } }, async (request, reply) => {
    const path = request.url.split("?")[0] ?? "";
    const allow = /\/(infer|index|load|unload)$/.test(path) ? "POST" : "GET";
    if (!KNOWN.test(path) || request.method === allow)
      throw new ProblemError("not-found", `${request.method} ${path} is not an address of this server.`);
    void reply.header("allow", allow);
    throw new ProblemError("method-not-allowed", `${path} takes ${allow}, not ${request.method}.`);
  });
};
const KNOWN =
  /^\/v2\/(health\/(live|ready)|models|models\/[^/]+(\/versions\/[^/]+)?(\/ready|\/infer)?|repository\/(index|models\/[^/]+\/(load|unload)))$/;

async function infer(parts: ProtocolParts, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const receivedAtUs = parts.clock.monotonicUs();
  const { endpoint, version } = asParams(request.params);
  const view = viewOf(parts.gateway, endpoint);
  const byHeader = askedRelease(request, parts, endpoint);
  const pinned = version === undefined ? byHeader : loadedRelease(parts, view, version);
  if (byHeader !== undefined && byHeader !== pinned)
    throw refused([{ path: `/headers/${RELEASE_HEADER}`, expected: `${version}, as in the address, or nothing`, got: "another release" }]);
  const { body, binary } = bodyOf(request);
  const id = given(body, "id");
  if (id !== undefined && typeof id !== "string") throw refused([{ path: "/id", expected: "a text", got: shown(id) }]);
  const parameters = given(body, "parameters") ?? {};
  if (!isObject(parameters)) throw refused([{ path: "/parameters", expected: "an object", got: shown(parameters) }]);
  const outputs = wantedOutputs(body, parts.outputsOf(endpoint).oip ?? DEFAULT_OUTPUTS);
  if (!outputs.ok) throw refused([outputs.error]);
  const tensors = readTensors(given(body, "inputs"), binary);
  if (!tensors.ok) throw refused([tensors.error]);
  if ((tensors.value[0]?.shape[0] ?? 0) > MAX_ROWS)
    throw new ProblemError("too-large", `At most ${MAX_ROWS} rows in one request, got ${tensors.value[0]?.shape[0]}.`);
  const read = rowsOfTensors(tensors.value, parameters, view.endpoint);
  if (!read.ok) throw refused(read.error);
  const { timeout } = parameters;
  const decided = await decideRows(parts.gateway, {
    endpoint,
    rows: read.value.rows,
    source: principalOf(request).tokenId,
    receivedAtUs,
    ...traceOf(request),
    requestKey: idempotencyKeyOf(request),
    pinned,
    // Microseconds, as Triton's clients send it.
    deadlineMs: typeof timeout === "number" && timeout > 0 ? Math.min(timeout / 1000, MAX_DEADLINE_MS) : undefined,
    refuse: (faults) => refused(faults.map((fault) => read.value.place(fault))),
  });
  if (decided.length > 0 && decided.every(({ isReplay }) => isReplay)) void reply.header("idempotent-replayed", "true");
  const answer = inferReply({ model: endpoint, id: id ?? request.id, replies: decided.map((one) => one.reply), outputs: outputs.value });
  if (answer.jsonBytes === null) return sendJson(reply, 200, answer.body);
  return reply
    .header("content-type", "application/octet-stream")
    .header("inference-header-content-length", String(answer.jsonBytes))
    .send(answer.body);
}

/** Told with the first fault's own sentence: clients show nothing but `error`. */
function refused(issues: readonly Issue[]): ProblemError {
  const [first] = issues;
  return new ProblemError("invalid", first ? `${first.path || "body"}: ${sentence(first)}` : undefined, issues.slice(0, 20));
}

/** The body without its compression. @throws ProblemError */
export function inflated(request: FastifyRequest, maxBytes: number): Buffer {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const encoding = request.headers["content-encoding"]?.toLowerCase() ?? "identity";
  if (encoding === "identity") return body;
  const inflate = encoding === "gzip" ? gunzipSync : encoding === "deflate" ? inflateSync : undefined;
  if (!inflate) throw new ProblemError("unsupported-media-type", `Send it plain, or as gzip or deflate; got "${encoding}".`);
  try {
    return inflate(body, { maxOutputLength: maxBytes });
  } catch (error) {
    const isTooLarge = error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
    if (isTooLarge) throw new ProblemError("too-large", `At most ${maxBytes.toLocaleString("en")} bytes once it is unpacked.`);
    throw new ProblemError("bad-json", `The body is not ${encoding}.`);
  }
}

function bodyOf(request: FastifyRequest): { readonly body: Readonly<Record<string, unknown>>; readonly binary: Buffer } {
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (!["", "application/json", "application/octet-stream"].includes(type))
    throw new ProblemError("unsupported-media-type", "Send JSON, or JSON with binary tensors as application/octet-stream.");
  const bytes = inflated(request, MAX_BYTES);
  if (bytes.length === 0) throw new ProblemError("bad-json", "The body is empty.");
  const header = request.headers["inference-header-content-length"];
  const length = header === undefined ? bytes.length : Number(header);
  if (!Number.isSafeInteger(length) || length <= 0 || length > bytes.length)
    throw refused([
      {
        path: "/headers/inference-header-content-length",
        expected: `the length of the JSON, from 1 to the ${bytes.length} bytes of the body`,
        got: shown(header),
      },
    ]);
  const parsed = parseStrictJson(bytes.subarray(0, length), MANY_ROWS_LIMITS);
  if (!parsed.ok) {
    const hint = header === undefined && bytes.includes("binary_data_size") ? { hint: NEEDS_HEADER } : {};
    const issue = { ...parsed.error, ...hint };
    throw new ProblemError("bad-json", sentence(issue), [issue]);
  }
  if (!isObject(parsed.value.value)) throw refused([{ path: "", expected: "an object with inputs", got: shown(parsed.value.value) }]);
  return { body: parsed.value.value, binary: bytes.subarray(length) };
}

export function viewOf(gateway: Gateway, endpoint: string): RouteView {
  const view = gateway.view(endpoint);
  if (!view) throw notFound(`endpoint "${endpoint}"`);
  return view;
}

export const reachable = (parts: Pick<ProtocolParts, "endpoints" | "gateway">, request: FastifyRequest): readonly string[] =>
  parts.endpoints().filter((name) => reaches(principalOf(request), name) && parts.gateway.view(name) !== undefined);

const nameOf = (view: RouteView, release: ReleaseId) => `r${view.releaseNumbers.get(release)}`;

const DATATYPE_OF = { number: "FP64", integer: "INT64", boolean: "BOOL", string: "BYTES" } as const;

function described({ inputs, groups }: CompiledEndpoint, outputs: readonly OutputName[]) {
  const optional = { parameters: { required: false } };
  const tensor = (name: string, datatype: string) => ({ name, datatype, shape: [-1] });
  return {
    inputs: [
      ...Object.entries(inputs).map(([name, input]) => ({ ...tensor(name, DATATYPE_OF[input.type]), ...(input.optional ? optional : {}) })),
      // Where an input has the attribute's name, the group has another.
      ...Object.keys(groups).map((name) => ({
        ...tensor(Object.hasOwn(inputs, name) ? `group_${name}` : name, "BYTES"),
        parameters: { required: false, role: "group", attribute: name },
      })),
      { ...tensor("subject", "BYTES"), parameters: { required: false, role: "subject" } },
    ],
    outputs: outputs.map((name) => tensor(name, OUTPUTS[name].datatype)),
  };
}

/** The routes' own patterns name them. */
const asParams = (params: unknown) => params as { readonly endpoint: string; readonly version?: string };
