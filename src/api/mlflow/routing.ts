/** How MLflow's routes are mounted: under both of its prefixes, with its reading of bodies and its form of errors. */
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { actorOf, type ProtectedReads, type Right } from "../../access/index.ts";
import type { Registry } from "../../registry/index.ts";
import type { Store } from "../../store/index.ts";
import type { ModelIntake } from "../model-intake.ts";
import { problem } from "../problem.ts";
import { sendJson, errorCode } from "../protocol-errors.ts";
import { explain, principalOf, type Server } from "../server.ts";
import { parseStrictJson } from "../strict-json.ts";
import { MlflowError } from "./errors.ts";
import { Fields, isObject } from "./fields.ts";

export interface MlflowParts {
  readonly store: Store;
  readonly registry: Registry;
  readonly intake: ModelIntake;
  readonly reads: ProtectedReads;
  readonly onError?: (error: Error, requestId: string) => void;
}

export interface Call {
  readonly fields: Fields;
  readonly actor: string;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** A parameter of the path. */
  readonly param: (name: string) => string;
}
type Method = "GET" | "POST" | "PATCH" | "DELETE";
export type Handler = (call: Call) => Promise<object>;

/** A dataset's profile alone may have 16 MB. */
const MAX_BODY_BYTES = 40 * 1024 * 1024;
const LIMITS = { maxDepth: 64, maxKeys: 200_000, maxStringLength: 17 * 1024 * 1024 };
export const PREFIXES = ["/api/2.0/mlflow", "/ajax-api/2.0/mlflow"] as const;
export const TAGS = ["mlflow tracking"];

/** Bodies as they come; errors as MLflow's clients read them. */
export function prepare(app: Server, { onError }: Pick<MlflowParts, "onError">): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: MAX_BODY_BYTES }, (_request, body, done) => done(null, body));
  answerErrors(app, onError);
}

export function answerErrors(app: Server, onError: MlflowParts["onError"]): void {
  app.addHook("onSend", async (request, reply) => void reply.header("x-request-id", request.id));
  app.setErrorHandler((error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply) => {
    if (error instanceof MlflowError) return sendJson(reply, error.status, { error_code: error.code, message: error.message });
    const { kind, detail, issues } = explain(error, request);
    if (kind === "internal") onError?.(error, request.id);
    const body = problem(kind, detail, issues, request.id);
    if (body.status === 503) void reply.header("retry-after", "1");
    if (body.status === 401) void reply.header("www-authenticate", 'Basic realm="mlflow", Bearer');
    const [first] = issues;
    const message =
      kind === "no-token"
        ? "Set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_PASSWORD, to an access token: `evenkeel token create` makes one."
        : first && !detail.includes(first.expected)
          ? `${detail} ${first.path}: expected ${first.expected}, got ${first.got ?? "nothing"}`
          : detail;
    return sendJson(reply, body.status, { ...errorCode(message, body), requestId: request.id });
  });
}

export interface RouteSpec {
  readonly method: Method;
  /** Below the prefix. */
  readonly path: string;
  readonly right: Right;
  readonly summary: string;
  /** Only for browsers, or besides it without a body whatever the method says. */
  readonly only?: "ajax";
  readonly hasNoBody?: true;
}

export function mount(app: Server, spec: RouteSpec, handler: Handler): void {
  for (const prefix of PREFIXES) {
    const isAjax = prefix.startsWith("/ajax");
    if (spec.only === "ajax" && !isAjax) continue;
    app.route({
      method: spec.method,
      url: `${prefix}/${spec.path}`,
      config: { right: spec.right, takesBasic: true },
      bodyLimit: MAX_BODY_BYTES,
      // What browsers ask is the same again.
      schema: { summary: spec.summary, tags: TAGS, ...(isAjax && spec.only !== "ajax" ? { hide: true } : {}) },
      handler: async (request, reply) => {
        const fields = spec.hasNoBody ? new Fields({}) : fieldsOf(request);
        const params = asParams(request.params);
        const answer = await handler({ fields, actor: actorOf(principalOf(request)), request, reply, param: (name) => params[name] ?? "" });
        return reply.sent ? reply : sendJson(reply, 200, answer);
      },
    });
  }
}

/** From the query of a GET, from the JSON body of anything else. */
export function fieldsOf(request: FastifyRequest): Fields {
  if (request.method === "GET" || request.method === "HEAD") return new Fields(asQuery(request.query));
  const type = request.headers["content-type"];
  if (type === undefined) throw new MlflowError("INVALID_PARAMETER_VALUE", "Bad Request. Content-Type header is missing.");
  if (type.split(";")[0]?.trim().toLowerCase() !== "application/json")
    throw new MlflowError("INVALID_PARAMETER_VALUE", "Bad Request. Content-Type must be one of ['application/json'].");
  const { body } = request;
  return new Fields(jsonIn(Buffer.isBuffer(body) ? body : Buffer.alloc(0)));
}

function jsonIn(bytes: Buffer): Readonly<Record<string, unknown>> {
  if (bytes.length === 0) return {};
  const parsed = parseStrictJson(bytes, LIMITS);
  if (!parsed.ok)
    throw new MlflowError(
      "INVALID_PARAMETER_VALUE",
      `The body can't be read: expected ${parsed.error.expected}, got ${parsed.error.got ?? "nothing"}.`,
    );
  let { value } = parsed.value;
  // Old clients put JSON into a JSON text.
  if (typeof value === "string") {
    const inner = parseStrictJson(Buffer.from(value), LIMITS);
    if (inner.ok) value = inner.value.value;
  }
  if (isObject(value)) return value;
  throw new MlflowError("INVALID_PARAMETER_VALUE", "The body must be a JSON object.");
}

/** Texts only, or lists of them. */
const asQuery = (query: unknown): Readonly<Record<string, unknown>> => (isObject(query) ? query : {});
const asParams = (params: unknown): Readonly<Record<string, string | undefined>> => (isObject(params) ? textsOf(params) : {});
const textsOf = (values: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typeof value === "string" ? value : undefined]));
