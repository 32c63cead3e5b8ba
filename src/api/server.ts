/** One Fastify server: strict bodies, a right on every route, problem details for every error. Routes are added by their own files. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import swagger, { type FastifyDynamicSwaggerOptions } from "@fastify/swagger";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, { type FastifyError, type FastifyInstance, type FastifyRequest, type FastifyServerOptions } from "fastify";
import type { TSchema } from "typebox";
import Value from "typebox/value";
import { bearerOf, mayDo, reaches, rolesWith, type Principal, type Right, type Tokens } from "../access/index.ts";
import { checked } from "../checked.ts";
import { assert } from "../std.ts";
import { BlobError, StorageError, type Ids } from "../store/index.ts";
import { drainBeforeClosing } from "./drain.ts";
import { ProblemError, problem, type ProblemKind } from "./problem.ts";
import { parseStrictJson } from "./strict-json.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What the caller must be allowed to do; `public` for what anybody may see. A route without it doesn't start. */
    right?: Right | "public";
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
  /** Names besides IP literals and `localhost` that a `Host` header may carry. */
  readonly allowedHosts?: readonly string[];
  /** Set on the control socket: whoever can open it owns the machine's folder, and acts as this principal without a token. */
  readonly localPrincipal?: Principal;
  readonly logger?: FastifyServerOptions["logger"];
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
  const app: Server = Fastify({
    logger: options.logger ?? false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: 15_000,
    connectionTimeout: 0,
    keepAliveTimeout: 65_000,
    genReqId: () => options.ids.next(),
    routerOptions: { maxParamLength: 300 },
    http: { headersTimeout: 5_000, maxHeaderSize: 16_384, connectionsCheckingInterval: 1_000 },
    // Who still has a connection when the server stops gets an answer, and is told that it was the last one.
    return503OnClosing: false,
    forceCloseConnections: "idle",
  }).withTypeProvider<TypeBoxTypeProvider>();

  // The rest of the descriptors is for the database, blobs and scorers; a flood of connections must not take those.
  app.server.maxConnections = Math.max(64, Math.min(openFilesAtMost() - 200, 4096));

  drainBeforeClosing(app);
  app.decorateRequest("principal", undefined);
  app.decorateRequest("rawText", "");
  app.setValidatorCompiler(({ schema, httpPart }) => validatorOf(asSchema(schema), httpPart));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    if (/charset=(?!utf-8)/i.test(request.headers["content-type"] ?? ""))
      return done(new ProblemError("unsupported-media-type", "Send JSON in UTF-8."));
    const parsed = parseStrictJson(asBuffer(body));
    if (!parsed.ok)
      return done(new ProblemError("bad-json", `Expected ${parsed.error.expected}, got ${parsed.error.got ?? "nothing"}.`, [parsed.error]));
    request.rawText = parsed.value.text;
    done(null, parsed.value.value);
  });
  app.addHook("onRoute", (route) => {
    if (route.method === "HEAD" || route.method === "OPTIONS") return;
    if (!route.config?.right) throw new Error(`route ${String(route.method)} ${route.url} declares no right`);
  });
  app.addHook("onRequest", async (request) => {
    checkHost(request, options.allowedHosts ?? []);
    const right = request.routeOptions.config.right;
    if (right === undefined || right === "public") return;
    request.principal = await identify(request, options);
    if (!mayDo(request.principal, right)) {
      throw new ProblemError(
        "forbidden",
        `The token "${request.principal.name}" (${request.principal.role}) lacks the right ${right}, which ${rolesWith(right).join(", ")} can have.`,
      );
    }
    const { endpoint } = asParams(request.params);
    if (endpoint !== undefined && !reaches(request.principal, endpoint)) throw notFound(`endpoint "${endpoint}"`);
  });
  app.setErrorHandler((error: FastifyError | Error, request, reply) => {
    const { kind, detail, issues } = explain(error, request.routeOptions.bodyLimit);
    if (kind === "internal") options.onError?.(error, request.id);
    const body = problem(kind, detail, issues, request.id);
    if (body.status === 503) void reply.header("retry-after", "1");
    if (body.status === 401) void reply.header("www-authenticate", "Bearer");
    return reply.code(body.status).type("application/problem+json").send(JSON.stringify(body));
  });
  app.setNotFoundHandler((request, reply) => {
    const body = problem(
      "not-found",
      `${request.method} ${request.url.split("?")[0] ?? ""} is not an address of this server; GET /openapi.json lists them.`,
      [],
      request.id,
    );
    return reply.code(404).type("application/problem+json").send(JSON.stringify(body));
  });
  app.addHook("onSend", async (_request, reply) => {
    void reply.header("x-content-type-options", "nosniff");
  });

  await app.register(swagger, { openapi: DOCUMENTATION });
  for (const add of routes)
    await app.register(async (child) => {
      await add(child.withTypeProvider<TypeBoxTypeProvider>());
    });
  app.get("/openapi.json", { config: { right: "public" }, schema: { hide: true } }, async () => app.swagger());
  return app;
}

/** The system's limit of open files for this process, where it can be read; else a common one. */
function openFilesAtMost(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? 1024);
  } catch {
    return 1024;
  }
}

/** Bodies are checked as they are; path and query come as text and are read as numbers or flags where the schema says so. */
function validatorOf(schema: TSchema, httpPart: string | undefined): (value: unknown) => { value: unknown } | { error: Error } {
  const check = checked(schema);
  return (value) => {
    const given = httpPart === "body" ? value : Value.Convert(schema, value);
    const result = check(given);
    return result.ok ? { value: result.value } : { error: new ProblemError("invalid", undefined, result.error) };
  };
}

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

/** Names a rebinding attack needs a name; probes, scrapers and people on the machine use addresses (T12). */
function checkHost(request: FastifyRequest, allowed: readonly string[]): void {
  const hosts = request.raw.rawHeaders.filter((_, i, all) => i % 2 === 1 && all[i - 1]?.toLowerCase() === "host");
  if (request.raw.socket.remoteAddress === undefined && hosts.length <= 1) return; // the control socket
  const host = (hosts[0] ?? "").replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  if (hosts.length !== 1 || !(isIP(host) || host === "localhost" || allowed.includes(host))) {
    throw new ProblemError("wrong-host", `Ask for an IP address, localhost, or a name given with --allowed-host; got "${host}".`);
  }
}

async function identify(request: FastifyRequest, options: ServerOptions): Promise<Principal> {
  if (options.localPrincipal) return options.localPrincipal;
  if (request.headers.authorization !== undefined) {
    const token = bearerOf(request.headers.authorization);
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

/** What an error is to the caller. @param bodyLimit - of the route that it happened on */
export function explain(
  error: FastifyError | Error,
  bodyLimit: number = MAX_BODY_BYTES,
): { kind: ProblemKind; detail: string; issues: ProblemError["issues"] } {
  if (error instanceof ProblemError) return { kind: error.kind, detail: error.message, issues: error.issues };
  if (error instanceof StorageError) return { kind: error.trouble, detail: "Nothing else was changed. Try again in a moment.", issues: [] };
  if (error instanceof BlobError) return { kind: error.kind === "missing" ? "not-found" : "internal", detail: error.message, issues: [] };
  const code = "code" in error ? error.code : "";
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE")
    return { kind: "too-large", detail: `At most ${bodyLimit.toLocaleString("en")} bytes.`, issues: [] };
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE")
    return { kind: "unsupported-media-type", detail: "Send JSON with `content-type: application/json`.", issues: [] };
  if (code === "FST_ERR_CTP_EMPTY_JSON_BODY") return { kind: "bad-json", detail: "The body is empty.", issues: [] };
  if ("statusCode" in error && typeof error.statusCode === "number" && error.statusCode < 500)
    return { kind: "invalid", detail: error.message, issues: [] };
  return { kind: "internal", detail: "It has been noted under the request id. Nothing is known to be lost.", issues: [] };
}
