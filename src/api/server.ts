/** One Fastify server: strict bodies, a right on every route, problem details for every error. Routes are added by their own files. */
import { readFileSync } from "node:fs";
import { createServer, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import swagger, { type FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from "fastify";
import { Type, type TSchema } from "typebox";
import {
  basicPasswordOf,
  bearerOf,
  isBeyondLimits,
  mayDo,
  reaches,
  rolesWith,
  type Principal,
  type Right,
  type Tokens,
} from "../access/index.ts";
import { checked } from "../checked.ts";
import { assert } from "../std.ts";
import { BlobError, StorageError, type Ids, type Timers } from "../store/index.ts";
import { Connections } from "./connections.ts";
import { LateSerializers } from "./late-serializers.ts";
import { ProblemError, problem, type Problem, type ProblemKind } from "./problem.ts";
import { MethodsByAddress } from "./methods-by-address.ts";
import { addressIssue, checkEncoding, checkTarget, isUtf8, queryIn, readAddress } from "./request-checks.ts";
import { SlowRequests } from "./slow-requests.ts";
import { tracingDecisions, type RequestTracer } from "./traces.ts";
import { JSON_LIMITS, parseStrictJson, type JsonLimits } from "./strict-json.ts";
import { TurnedAway, type TurnsAway } from "./turned-away.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What the caller must be allowed to do; `public` for what anybody may see. A route without it doesn't start. */
    right?: Right | "public";
    /** Takes bytes as many as they are: may take as long as they keep coming. */
    takesUpload?: true;
    /** Asked of every POST before anything else is done for it. */
    turnsAway?: TurnsAway;
    /** Takes much memory and can wait: refused while memory runs short, so that decisions about single people go on. */
    needsMemory?: true;
    /** Reads compressed bodies itself, unpacked only up to its own limit. */
    takesCompressed?: true;
    /** Takes a token also as the password of Basic authentication, as MLflow's client sends it. */
    takesBasic?: true;
    /** Takes the header that asks one release by name; whoever sends it needs `decide:pinned` in place of the route's right. */
    takesRelease?: true;
  }
  interface FastifyRequest {
    /** Who asks. Undefined only on public routes. */
    principal: Principal | undefined;
    /** The JSON body as it was sent, to be recorded as such. */
    rawText: string;
  }
}

export interface ServerOptions {
  readonly tokens: Tokens;
  readonly ids: Ids;
  readonly timers: Timers;
  /** Names besides IP literals and `localhost` that a `Host` header may carry. */
  readonly allowedHosts?: readonly string[];
  /** Set on the control socket: whoever can open it owns the machine's folder, and acts as this principal without a token. With one, as its holder. */
  readonly localPrincipal?: Principal;
  /** For a server that may have to hand its connections on. */
  readonly connections?: Connections;
  /** Whether memory runs short. Never by default. */
  readonly isShortOfMemory?: () => boolean;
  readonly logger?: FastifyServerOptions["logger"];
  /** Where requests for decisions are traced. Nowhere by default. */
  readonly tracer?: RequestTracer;
  /** Told of errors that are our fault, with the request id that the caller was given. */
  readonly onError?: (error: Error, requestId: string) => void;
}

export type Server = FastifyInstance<
  import("node:http").Server,
  import("node:http").IncomingMessage,
  import("node:http").ServerResponse,
  import("fastify").FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export const SESSION_COOKIE = "evenkeel_session";
const MAX_BODY_BYTES = 256 * 1024;
const DOCUMENTATION: NonNullable<FastifyDynamicSwaggerOptions["openapi"]> = {
  openapi: "3.1.0",
  info: {
    title: "Evenkeel",
    version: "1",
    description: "Decisions about people: served, recorded, watched for harm, rolled back, explained, put right.",
  },
  components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  security: [{ token: [] }],
};

export async function buildServer(options: ServerOptions, routes: readonly ((app: Server) => void | Promise<void>)[]): Promise<Server> {
  const turnedAway = new TurnedAway(options.ids);
  const serializers = new LateSerializers();
  const app: Server = Fastify({
    logger: options.logger ?? false,
    bodyLimit: MAX_BODY_BYTES,
    schemaController: { compilersFactory: { buildSerializer: serializers.factory } },
    serverFactory: (handle) =>
      createServer(
        {
          requestTimeout: 0, // Node's own knows one time for all routes: `SlowRequests` instead
          keepAliveTimeout: 65_000,
          headersTimeout: 5_000,
          maxHeaderSize: 16_384,
          connectionsCheckingInterval: 1_000,
        },
        (request, response) => void (turnedAway.answers(request, response) || handle(request, response)),
      ),
    genReqId: () => options.ids.next(),
    routerOptions: { maxParamLength: 300, querystringParser: queryIn },
    // Who still has a connection when the server stops gets an answer, and is told that it was the last one.
    return503OnClosing: false,
    forceCloseConnections: "idle",
    // Before there is a route: an address that can't be decoded.
    frameworkErrors: (error, request, reply) => void sendProblem(reply, error, request),
    clientErrorHandler: refuseConnection,
  }).withTypeProvider<TypeBoxTypeProvider>();

  // The rest of the descriptors is for the database, blobs and scorers; a flood of connections must not take those.
  app.server.maxConnections = Math.max(64, Math.min(openFilesAtMost() - 200, 4096));

  const allowedHosts = (options.allowedHosts ?? []).map((name) => name.toLowerCase());
  (options.connections ?? new Connections()).attach(app);
  const slow = new SlowRequests();
  const stopWatching = slow.watch(options.timers, ({ raw: { socket } }) => {
    refuse("too-slow", socket);
    socket.destroySoon();
  });
  app.addHook("onClose", async () => stopWatching());
  let stopCompiling = () => {};
  app.addHook("onReady", async () => {
    stopCompiling = serializers.compileSoon(options.timers);
  });
  app.addHook("onClose", async () => stopCompiling());
  app.decorateRequest("principal", undefined);
  app.decorateRequest("rawText", "");
  app.decorateRequest("span", undefined);
  if (options.tracer) app.addHook("onRequest", tracingDecisions(options.tracer));
  app.setValidatorCompiler(({ schema, httpPart }) => validatorOf(schema, httpPart));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, strictJson(JSON_LIMITS));
  const methods = new MethodsByAddress();
  app.addHook("onRoute", (route) => {
    methods.add(route.path, route.method);
    if (route.path.startsWith("/v1/")) route.schema = { ...route.schema, querystring: onlyTheseOf(route.schema?.querystring) };
    if (route.method === "HEAD" || route.method === "OPTIONS") return;
    if (!route.config?.right) throw new Error(`route ${String(route.method)} ${route.url} declares no right`);
    if (route.config.turnsAway) turnedAway.add(route.path, route.config.turnsAway);
    // The description of the API says who may call what.
    if (route.schema) Object.assign(route.schema, { "x-right": route.config.right });
  });
  app.addHook("onRequest", async (request) => {
    if (request.routeOptions.config.needsMemory && options.isShortOfMemory?.()) throw SHORT_OF_MEMORY;
    checkTarget(request, allowedHosts);
    if (request.routeOptions.config.takesCompressed !== true) checkEncoding(request);
    slow.begin(request, request.routeOptions.config.takesUpload === true);
    const { right: declared, takesRelease } = request.routeOptions.config;
    const right = takesRelease && request.headers["evenkeel-release"] !== undefined ? "decide:pinned" : declared;
    if (right === undefined || right === "public") return;
    request.principal = await identify(request, options);
    if (!mayDo(request.principal, right)) {
      const { name, role } = request.principal;
      const why = isBeyondLimits(request.principal, right)
        ? "which is about the whole server: this token is limited to some endpoints"
        : `which ${rolesWith(right).join(", ")} can have`;
      throw new ProblemError("forbidden", `The token "${name}" (${role}) lacks the right ${right}, ${why}.`);
    }
    const { endpoint } = asParams(request.params);
    if (endpoint !== undefined && !reaches(request.principal, endpoint)) throw notFound(`endpoint "${endpoint}"`);
  });
  app.setErrorHandler((error: FastifyError | Error, request, reply) => {
    const body = sendProblem(reply, error, request);
    if (body.status === 500) options.onError?.(error, request.id);
    return reply;
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?")[0] ?? "";
    const allowed = methods.of(path);
    const body =
      allowed.length > 0
        ? problem("method-not-allowed", `${path} takes ${allowed.join(", ")}, not ${request.method}.`, [], request.id)
        : problem("not-found", `${request.method} ${path} is not an address of this server; GET /openapi.json lists them.`, [], request.id);
    if (allowed.length > 0) void reply.header("allow", allowed.join(", "));
    return reply.code(body.status).type("application/problem+json").send(JSON.stringify(body));
  });
  app.addHook("onSend", async (_request, reply) => {
    void reply.header("x-content-type-options", "nosniff");
  });

  await app.register(swagger, {
    openapi: DOCUMENTATION,
    // Who may call it stands with the operation, so that nobody has to find out by being refused.
    transform: ({ schema, url, route }) => ({ schema: { ...schema, "x-right": route.config?.right }, url }),
  });
  for (const add of routes)
    await app.register(async (child) => {
      await add(child.withTypeProvider<TypeBoxTypeProvider>());
    });
  app.get("/openapi.json", { config: { right: "public" }, schema: { hide: true } }, async () => app.swagger());
  return app;
}

/** Made once. */
const SHORT_OF_MEMORY = new ProblemError(
  "overloaded",
  "The server is short of memory: decisions about single people go on, what takes more memory has to wait. Nothing was changed.",
);

/** The system's limit of open files for this process, where it can be read; else a common one. */
function openFilesAtMost(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 1024);
  } catch {
    return 1024;
  }
}

/** Bodies are checked as they are; path and query come as text and are read as numbers or flags where the schema says so. */
export function validatorOf(declared: unknown, httpPart: string | undefined): (value: unknown) => { value: unknown } | { error: Error } {
  const schema = asSchema(declared);
  const check = checked(schema);
  return (value) => {
    const given = httpPart === "body" ? value : readAddress(schema, value);
    const result = check(given);
    if (!result.ok) return { error: new ProblemError("invalid", undefined, result.error) };
    const issue = httpPart === "body" ? undefined : addressIssue(result.value);
    return issue ? { error: new ProblemError("invalid", undefined, [issue]) } : { value: result.value };
  };
}

/** A query that asks for something else than there is would be answered as if it hadn't: so no names but the documented ones. */
const onlyTheseOf = (querystring: unknown): TSchema =>
  Type.Object(Type.IsObject(querystring) ? querystring.properties : {}, { additionalProperties: false });

/** Routes are declared with TypeBox schemas only. */
const asSchema = (schema: unknown): TSchema => schema as TSchema;
/** `parseAs: "buffer"` gives a buffer. */
const asBuffer = (body: string | Buffer): Buffer => (typeof body === "string" ? Buffer.from(body) : body);
const asParams = (params: unknown): { readonly endpoint?: string } => (typeof params === "object" && params !== null ? params : {});

/** Who asks, on a route that isn't public. */
export function principalOf(request: FastifyRequest): Principal {
  assert(request.principal, "a route with a right has a principal");
  return request.principal;
}

export const notFound = (what: string) => new ProblemError("not-found", `There is no ${what} here, or this token may not know of it.`);

async function identify(request: FastifyRequest, options: ServerOptions): Promise<Principal> {
  if (request.headers.authorization === undefined && options.localPrincipal) return options.localPrincipal;
  if (request.headers.authorization !== undefined) {
    const { authorization } = request.headers;
    const token = bearerOf(authorization) ?? (request.routeOptions.config.takesBasic ? basicPasswordOf(authorization) : undefined);
    const found = token === undefined ? undefined : await options.tokens.authenticate(token);
    if (!found)
      throw new ProblemError("bad-token", "The token is unknown, expired, revoked or mistyped. `evenkeel token create` makes a new one.");
    return found;
  }
  const cookie = sessionToken(request);
  if (cookie === undefined) throw new ProblemError("no-token", "Send `Authorization: Bearer <token>`.");
  const site = request.headers["sec-fetch-site"];
  if (request.method !== "GET" && site !== "same-origin")
    throw new ProblemError("forbidden", "A session in a browser changes things only from its own pages.");
  const found = await options.tokens.authenticate(cookie);
  if (!found) throw new ProblemError("bad-token", "The session has ended. Sign in again.");
  return found;
}

export function sessionToken(request: FastifyRequest): string | undefined {
  for (const part of (request.headers.cookie ?? "").split(";")) {
    const [name, value] = part.trim().split("=");
    if (name === SESSION_COOKIE && value) return value;
  }
  return undefined;
}

function sendProblem(reply: FastifyReply, error: FastifyError | Error, request: FastifyRequest): Problem {
  const { kind, detail, issues } = explain(error, request);
  const body = problem(kind, detail, issues, request.id);
  if (body.status === 503) void reply.header("retry-after", "1");
  if (body.status === 401) void reply.header("www-authenticate", "Bearer");
  void reply.code(body.status).type("application/problem+json").send(JSON.stringify(body));
  return body;
}

/** What came isn't HTTP, or came too slowly: there is no request to answer, only a connection. */
function refuseConnection(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const kind =
    error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? "too-slow" : error.code === "HPE_HEADER_OVERFLOW" ? "headers-too-large" : "bad-http";
  refuse(kind, socket);
}

function refuse(kind: ProblemKind, socket: Socket): void {
  const body = problem(kind);
  const text = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${body.status} ${STATUS_CODES[body.status] ?? ""}\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
}

/** Reads a JSON body, and keeps its text. */
export const strictJson =
  (limits: JsonLimits) =>
  (request: FastifyRequest, body: string | Buffer, done: (error: Error | null, body?: unknown) => void): void => {
    if (!isUtf8(request.headers["content-type"])) return done(notJson("Send JSON in UTF-8.", request));
    const parsed = parseStrictJson(asBuffer(body), limits);
    if (!parsed.ok)
      return done(new ProblemError("bad-json", `Expected ${parsed.error.expected}, got ${parsed.error.got ?? "nothing"}.`, [parsed.error]));
    request.rawText = parsed.value.text;
    done(null, parsed.value.value);
  };

const notJson = (detail: string, request: FastifyRequest) =>
  new ProblemError("unsupported-media-type", detail, [
    { path: "/headers/content-type", expected: "application/json", got: request.headers["content-type"] ?? "nothing" },
  ]);

/** What an error is to the caller. */
export function explain(
  error: FastifyError | Error,
  request: FastifyRequest,
): { kind: ProblemKind; detail: string; issues: ProblemError["issues"] } {
  if (error instanceof ProblemError) return { kind: error.kind, detail: error.message, issues: error.issues };
  if (error instanceof StorageError) return { kind: error.trouble, detail: "Nothing else was changed. Try again in a moment.", issues: [] };
  if (error instanceof BlobError) return { kind: error.kind === "missing" ? "not-found" : "internal", detail: error.message, issues: [] };
  const code = "code" in error ? error.code : "";
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") return tooLarge(request.routeOptions.bodyLimit);
  // Whoever sent it hung up, or was too slow: there is nobody to answer, and nothing is wrong here.
  if (!request.raw.complete && request.raw.destroyed) return { kind: "too-slow", detail: "The body broke off.", issues: [] };
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE")
    return explain(notJson("Send JSON with `content-type: application/json`.", request), request);
  if (code === "FST_ERR_CTP_EMPTY_JSON_BODY") return { kind: "bad-json", detail: "The body is empty.", issues: [] };
  if ("statusCode" in error && typeof error.statusCode === "number" && error.statusCode < 500)
    return { kind: "invalid", detail: error.message, issues: [] };
  return { kind: "internal", detail: "It has been noted under the request id. Nothing is known to be lost.", issues: [] };
}

const tooLarge = (bytes: number) => {
  const limit = `at most ${bytes.toLocaleString("en")} bytes`;
  return { kind: "too-large" as const, detail: `Send ${limit}.`, issues: [{ path: "", expected: limit, got: "more" }] };
};
