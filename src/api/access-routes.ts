/** Tokens and the audit log. */
import { Type, type Static } from "typebox";
import { iso } from "./iso.ts";
import { actorOf, mayDo, parseAuditHead, rights, roles, type Audit, type Tokens } from "../access/index.ts";
import { ProblemError } from "./problem.ts";
import { notFound, principalOf, type Server } from "./server.ts";
import { shownPayload } from "./shown-reason.ts";

const Role = Type.Enum(roles);
const Right = Type.Enum(rights);
const Time = Type.String({ description: "ISO 8601, UTC" });

export const TokenView = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    role: Role,
    endpoints: Type.Union([Type.Array(Type.String()), Type.Null()]),
    grants: Type.Array(Right),
    state: Type.Union([Type.Literal("live"), Type.Literal("expired"), Type.Literal("revoked")]),
    createdAt: Time,
    createdBy: Type.String(),
    expiresAt: Type.Union([Time, Type.Null()]),
  },
  { title: "Token" },
);
export type TokenView = Static<typeof TokenView>;
const NewTokenBody = Type.Object(
  {
    name: Type.String(),
    role: Role,
    endpoints: Type.Optional(Type.Array(Type.String(), { maxItems: 100 })),
    grants: Type.Optional(Type.Array(Right)),
    expiresInDays: Type.Optional(Type.Integer()),
  },
  { additionalProperties: false },
);
const NewTokenView = Type.Object(
  {
    id: Type.String(),
    token: Type.String({ description: "The secret. Shown this once." }),
    expiresAt: Type.Union([Time, Type.Null()]),
  },
  { title: "NewToken" },
);
export type NewTokenView = Static<typeof NewTokenView>;

export const AuditPageView = Type.Object(
  {
    entries: Type.Array(
      Type.Object({
        seq: Type.Integer(),
        time: Type.String(),
        actor: Type.String(),
        action: Type.String(),
        object: Type.String(),
        payload: Type.Unknown(),
        isErased: Type.Boolean(),
      }),
    ),
    next: Type.Union([Type.Integer(), Type.Null()]),
  },
  { title: "AuditPage" },
);
export type AuditPageView = Static<typeof AuditPageView>;
export const AuditVerdictView = Type.Object(
  {
    isValid: Type.Boolean(),
    entries: Type.Integer(),
    head: Type.Union([Type.String({ description: "SEQ:HASH, to be kept outside this server" }), Type.Null()]),
    problems: Type.Array(Type.String()),
  },
  { title: "AuditVerdict" },
);
export type AuditVerdictView = Static<typeof AuditVerdictView>;

export const accessRoutes = (tokens: Tokens, audit: Audit) => (app: Server) => {
  app.get(
    "/v1/tokens",
    {
      config: { right: "tokens:write" },
      schema: {
        summary: "All access tokens, without their secrets",
        tags: ["access"],
        response: { 200: Type.Object({ tokens: Type.Array(TokenView) }) },
      },
    },
    async () => ({
      tokens: (await tokens.list()).map(({ createdAtMs, expiresAtMs, revokedAtMs: _revoked, endpoints, grants, ...rest }) => ({
        ...rest,
        endpoints: endpoints ? [...endpoints] : null,
        grants: [...grants],
        createdAt: iso(createdAtMs),
        expiresAt: expiresAtMs === null ? null : iso(expiresAtMs),
      })),
    }),
  );
  app.post(
    "/v1/tokens",
    {
      config: { right: "tokens:write" },
      schema: { summary: "Make an access token", tags: ["access"], body: NewTokenBody, response: { 201: NewTokenView } },
    },
    async (request, reply) => {
      const made = await tokens.create(request.body, actorOf(principalOf(request)));
      if (!made.ok) throw new ProblemError("invalid", undefined, made.error);
      const { expiresAtMs, ...rest } = made.value;
      return reply.code(201).send({ ...rest, expiresAt: expiresAtMs === null ? null : iso(expiresAtMs) });
    },
  );
  app.delete(
    "/v1/tokens/:id",
    {
      config: { right: "tokens:write" },
      schema: {
        summary: "Revoke an access token",
        tags: ["access"],
        params: Type.Object({ id: Type.String() }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const done = await tokens.revoke(request.params.id, actorOf(principalOf(request)));
      if (done.ok) return reply.code(204).send(null);
      if (done.error.kind === "unknown-token") throw notFound(`token ${request.params.id}`);
      throw new ProblemError(
        "conflict",
        "This is the last admin's token: without it nobody could make tokens any more. Make another admin's first.",
      );
    },
  );
  app.get(
    "/v1/audit",
    {
      config: { right: "audit:read" },
      schema: {
        summary: "Who did what, newest first",
        tags: ["access"],
        querystring: Type.Object({
          before: Type.Optional(Type.Integer({ minimum: 1 })),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
        }),
        response: { 200: AuditPageView },
      },
    },
    async (request) => {
      const page = await audit.list(request.query);
      const seesGroups = mayDo(principalOf(request), "protected:read");
      const entries = page.entries.map((entry) => ({ ...entry, payload: shownPayload(entry.actor, entry.payload, seesGroups) }));
      return { entries, next: page.next };
    },
  );
  app.get(
    "/v1/audit/verdict",
    {
      config: { right: "audit:read" },
      schema: {
        summary: "Recompute the whole chain",
        tags: ["access"],
        querystring: Type.Object({
          head: Type.Optional(Type.String({ description: "SEQ:HASH kept from an earlier verdict: finds a cut tail" })),
        }),
        response: { 200: AuditVerdictView },
      },
    },
    async (request) => {
      const kept = request.query.head === undefined ? undefined : parseAuditHead(request.query.head);
      if (request.query.head !== undefined && !kept)
        throw new ProblemError("invalid", undefined, [
          { path: "/head", expected: "SEQ:HASH as an earlier verdict gave it", got: request.query.head },
        ]);
      const verdict = await audit.verify(kept);
      return {
        isValid: verdict.ok,
        entries: verdict.entries,
        head: verdict.head ? `${verdict.head.seq}:${verdict.head.hash}` : null,
        problems: verdict.ok ? [] : verdict.problems.map((found) => found.message),
      };
    },
  );
};
