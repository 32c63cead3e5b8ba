/** Errors in the forms that clients of other projects' protocols read, with our own problem details in the same object. */
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import type { Issue } from "../std.ts";
import { problem, type Problem } from "./problem.ts";
import { explain, type Server } from "./server.ts";

/** What was expected and what came, in a sentence. */
export const sentence = ({ expected, got, hint }: Issue): string =>
  `expected ${expected}${got === undefined ? "" : `, got ${got}`}${hint === undefined ? "" : `; ${hint}`}`;

/** What a protocol puts beside our own members. */
export type ErrorForm = (message: string, problem: Problem) => Readonly<Record<string, unknown>>;

/** Open Inference Protocol, KServe v1. */
export const errorText: ErrorForm = (error) => ({ error });

const CODES: Readonly<Record<number, string>> = {
  403: "PERMISSION_DENIED",
  404: "RESOURCE_DOES_NOT_EXIST",
  429: "REQUEST_LIMIT_EXCEEDED",
  500: "INTERNAL_ERROR",
  503: "TEMPORARILY_UNAVAILABLE",
};
/** MLflow. */
export const errorCode: ErrorForm = (message, { status, type }) => ({
  error_code:
    CODES[status] ?? (type.endsWith("/bad-json") ? "BAD_REQUEST" : status === 401 ? "UNAUTHENTICATED" : "INVALID_PARAMETER_VALUE"),
  message,
});

/** KServe's client reads errors only where the type is exactly `application/json`; Fastify would add a charset to an object's. */
export const sendJson = (reply: FastifyReply, status: number, body: object | Buffer) =>
  reply
    .code(status)
    .header("content-type", "application/json")
    .send(Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)));

/** For all routes of a context. */
export function answerErrorsAs(app: Server, form: ErrorForm, onError: ((error: Error, requestId: string) => void) | undefined): void {
  app.setErrorHandler((error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply) => {
    const { kind, detail, issues } = explain(error, request);
    if (kind === "internal") onError?.(error, request.id);
    const body = problem(kind, detail, issues, request.id);
    if (body.status === 503) void reply.header("retry-after", "1");
    if (body.status === 401) void reply.header("www-authenticate", "Bearer");
    const [first] = issues;
    const message = first && !detail.includes(first.expected) ? `${first.path || "/"}: ${sentence(first)}` : detail;
    const errors = issues.map((issue) => ({ pointer: issue.path, detail: sentence(issue), ...issue }));
    return sendJson(reply, body.status, { ...form(message, body), ...body, ...(errors.length > 0 ? { errors } : {}) });
  });
}
