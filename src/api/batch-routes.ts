/** Many applications in one request: decided together, recorded together, or refused together. */
import { Type } from "typebox";
import { shown } from "../checked.ts";
import type { Application, Gateway } from "../serving/index.ts";
import { err, ok, type Issue, type Result } from "../std.ts";
import { canonicalJson, sha256Hex, type Clock } from "../store/index.ts";
import { RELEASE_HEADER_TEXT, askedRelease, type AskedReleaseParts } from "./asked-release.ts";
import { DecisionReplyView, refusal } from "./decision-routes.ts";
import { IDEMPOTENCY_KEY, idempotencyKeyOf } from "./idempotency-key.ts";
import { ProblemError } from "./problem.ts";
import { principalOf, strictJson, validatorOf, type Server } from "./server.ts";
import { JSON_LIMITS } from "./strict-json.ts";

export const MAX_APPLICATIONS = 10_000;
const MAX_BATCH_BYTES = 16 * 1024 * 1024;
/** Every row has as many as a single request may have; the size of the body bounds all of them together. */
export const MANY_ROWS_LIMITS = { ...JSON_LIMITS, maxKeys: 2_000_000 };

/** Documentation of the body; the endpoint's own schema is stricter and checks each application. */
const BatchBody = Type.Object(
  {
    applications: Type.Array(Type.Unknown(), {
      maxItems: MAX_APPLICATIONS,
      description:
        "Each like the body of a single decision, with an optional `key`: the same key with the same application gets the same answer again",
    }),
  },
  { title: "DecisionBatch" },
);
const BatchReplyView = Type.Object(
  {
    decisions: Type.Array(DecisionReplyView, { description: "In the order of the applications" }),
    replayed: Type.Array(Type.Integer(), { description: "Numbers, from 0, of those that had been answered before, under the same key" }),
  },
  { title: "DecisionBatchReply" },
);

export interface BatchRouteParts extends Pick<AskedReleaseParts, "isCondemned"> {
  readonly gateway: Gateway;
  readonly clock: Clock;
}

export const batchRoutes = (parts: BatchRouteParts) => (app: Server) => {
  const { gateway, clock } = parts;
  app.removeContentTypeParser("application/json");
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, strictJson(MANY_ROWS_LIMITS));
  app.post(
    "/v1/endpoints/:endpoint/decisions/batch",
    {
      config: { right: "decide", takesRelease: true, needsMemory: true },
      bodyLimit: MAX_BATCH_BYTES,
      schema: {
        summary: "Decide about many people at once",
        description: `Up to 10,000 applications, recorded in one transaction: one that can't be decided refuses them all and is named, as \`/applications/17/inputs/age\`. Under load batches are refused before single decisions are. ${RELEASE_HEADER_TEXT}`,
        tags: ["decisions"],
        params: Type.Object({ endpoint: Type.String() }),
        body: BatchBody,
        response: { 200: BatchReplyView },
      },
      validatorCompiler: ({ schema, httpPart }) => (httpPart === "body" ? () => true : validatorOf(schema, httpPart)),
    },
    async (request) => {
      const receivedAtUs = clock.monotonicUs();
      const { endpoint } = request.params;
      const requestKey = idempotencyKeyOf(request);
      const applications = applicationsIn(request.body, requestKey);
      if (!applications.ok) throw new ProblemError("invalid", "Nothing was decided and nothing recorded.", applications.error);
      if (applications.value.length > MAX_APPLICATIONS)
        throw new ProblemError(
          "too-large",
          `At most ${MAX_APPLICATIONS.toLocaleString("en")} applications in one request, got ${applications.value.length.toLocaleString("en")}.`,
        );
      const pinned = askedRelease(request, parts, endpoint);
      const decided = await gateway.decideAll(endpoint, applications.value, {
        source: principalOf(request).tokenId,
        receivedAtUs,
        ...(pinned === undefined ? {} : { pinned }),
      });
      if (!decided.ok) throw refusal(decided.error, endpoint, "/applications");
      return {
        decisions: decided.value.map(({ reply }) => ({ ...reply, reasons: [...reply.reasons] })),
        replayed: decided.value.flatMap(({ isReplay }, at) => (isReplay ? [at] : [])),
      };
    },
  );
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The body's rows, each as its own request would have been recorded: without its key, which isn't part of what is decided on. */
function applicationsIn(body: unknown, requestKey: string | undefined): Result<readonly Application[], readonly Issue[]> {
  if (!isObject(body) || !Array.isArray(body["applications"]))
    return err([{ path: "/applications", expected: "a list of applications", got: shown(isObject(body) ? body["applications"] : body) }]);
  const unknown = Object.keys(body).filter((key) => key !== "applications");
  if (unknown.length > 0) return err(unknown.map((key) => ({ path: `/${key}`, expected: "one of applications", got: "an unknown field" })));
  const rows: readonly unknown[] = body["applications"];
  if (rows.length > MAX_APPLICATIONS) return ok(rows.map((row) => ({ body: row, payload: "", idempotencyKey: null, bodyHash: null })));
  const issues: Issue[] = [];
  const firstWith = new Map<string, number>();
  const applications = rows.map((row, at): Application => {
    const { key = null, ...rest } = isObject(row) ? row : {};
    const path = `/applications/${at}/key`;
    if (key !== null && !(typeof key === "string" && IDEMPOTENCY_KEY.test(key))) {
      issues.push({ path, expected: "1 to 255 visible ASCII characters", got: shown(key) });
      return { body: rest, payload: "", idempotencyKey: null, bodyHash: null };
    }
    if (key !== null && requestKey !== undefined) issues.push({ path, expected: "keys of rows, or one of the request", got: "both" });
    if (key !== null) {
      const first = firstWith.get(key);
      if (first !== undefined)
        issues.push({ path, expected: "a key that no other application of the request has", got: `that of /applications/${first}` });
      firstWith.set(key, first ?? at);
    }
    return applicationOf(isObject(row) ? rest : row, key);
  });
  if (issues.length > 0) return err(issues.slice(0, 20));
  return ok(requestKey === undefined ? applications : keyedAsOne(applications, requestKey));
}

/** A request's own key stands for all of its rows: with any of them changed it is another request. */
export function keyedAsOne(applications: readonly Application[], key: string): readonly Application[] {
  const [only] = applications;
  if (only && applications.length === 1) return [applicationOf(only.body, key)];
  const bodyHash = sha256Hex(canonicalJson(applications.map(({ body }) => body)));
  return applications.map((application, row) => ({ ...application, idempotencyKey: `${key}/${row}`, bodyHash }));
}

/** @param body - as a single decision's */
export const applicationOf = (body: unknown, key: string | null): Application => ({
  body,
  payload: JSON.stringify(body) ?? "",
  idempotencyKey: key,
  bodyHash: key === null ? null : sha256Hex(canonicalJson(body)),
});
