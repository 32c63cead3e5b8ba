/** Errors as RFC 9457 problem details: what was wrong, where, what was expected, what to do. Never a stack trace. */
import { Type, type Static } from "typebox";
import type { Issue } from "../std.ts";

const IssueView = Type.Object(
  {
    path: Type.String({ description: "JSON pointer to what is wrong" }),
    expected: Type.String(),
    got: Type.Optional(Type.String()),
    hint: Type.Optional(Type.String()),
    line: Type.Optional(Type.Integer()),
    column: Type.Optional(Type.Integer()),
  },
  { title: "Issue" },
);

export const Problem = Type.Object(
  {
    type: Type.String({ description: "Names the kind of problem; stable" }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.Optional(Type.String()),
    errors: Type.Optional(Type.Array(IssueView)),
    requestId: Type.Optional(Type.String()),
  },
  { title: "Problem", description: "RFC 9457 problem details" },
);
export type Problem = Static<typeof Problem>;

/** Every kind of problem with its status and title. The key is the last part of `type`. */
export const PROBLEMS = {
  "bad-http": [400, "This is not HTTP as we read it"],
  "bad-json": [400, "The body is not the JSON we read"],
  invalid: [400, "Something in the request is not as expected"],
  "no-token": [401, "An access token is needed"],
  "bad-token": [401, "The access token is not valid"],
  forbidden: [403, "This token may not do that"],
  "not-found": [404, "There is no such thing here"],
  "method-not-allowed": [405, "This address doesn't take that method"],
  conflict: [409, "That can't be done in the present state"],
  "too-slow": [408, "The request came too slowly"],
  "too-large": [413, "The body is too large"],
  "unsupported-media-type": [415, "The body is not of a type that this address takes"],
  "wrong-host": [421, "This server doesn't answer for that host name"],
  "key-reused": [422, "The idempotency key was used with another body"],
  unprocessable: [422, "What was sent can't be used"],
  "headers-too-large": [431, "The headers are too large"],
  internal: [500, "Something went wrong on our side"],
  overloaded: [503, "The server has more work than it can take"],
  "storage-full": [503, "The disk is full: the decision was not recorded"],
  "storage-read-only": [503, "The disk can't be written: the decision was not recorded"],
  "outcome-unknown": [503, "It is not known whether this was recorded: ask again with the same idempotency key"],
  "storage-unavailable": [503, "The database doesn't answer"],
  "not-ready": [503, "The server isn't ready yet"],
} as const satisfies Record<string, readonly [status: number, title: string]>;
export type ProblemKind = keyof typeof PROBLEMS;

/** Thrown by routes and hooks; the error handler makes the reply of it. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly kind: ProblemKind;
  readonly issues: readonly Issue[];
  constructor(kind: ProblemKind, detail?: string, issues: readonly Issue[] = []) {
    super(detail ?? PROBLEMS[kind][1]);
    this.kind = kind;
    this.issues = issues;
  }
}

/** @param detail - one or two sentences on this very case, with what to do next */
export function problem(kind: ProblemKind, detail?: string, issues: readonly Issue[] = [], requestId?: string): Problem {
  const [status, title] = PROBLEMS[kind];
  return {
    type: `https://evenkeel.dev/problems/${kind}`,
    title,
    status,
    ...(detail && detail !== title ? { detail } : {}),
    ...(issues.length ? { errors: issues.map((issue) => ({ ...issue })) } : {}),
    ...(requestId ? { requestId } : {}),
  };
}
