/** What an endpoint expects of its inputs, and how that stands. */
import { Type, type Static } from "typebox";
import { mayDo } from "../access/index.ts";
import { orNull } from "../checked.ts";
import type { ExpectationState, ExpectationWarning, ExpectationWatch } from "../monitoring/index.ts";
import type { Releases } from "../releases/index.ts";
import { BREACHES, ExpectationSpec } from "../serving/index.ts";
import { EndpointParams } from "./command-body.ts";
import { iso } from "./iso.ts";
import { routeCommander } from "./route-commander.ts";
import { principalOf, type Server } from "./server.ts";

const Share = (description: string) => Type.Number({ minimum: 0, maximum: 1, description });

const BreachView = Type.Object({
  breach: Type.Enum([...BREACHES]),
  count: Type.Integer(),
  share: orNull(Share("Of the requests that were looked at")),
  interval: orNull(Type.Object({ low: Type.Number(), high: Type.Number() }, { description: "Wilson's 95 %, for one look" })),
  limit: orNull(Share("Beyond it a warning is given; null: none is")),
  state: Type.Enum(["no-data", "ok", "beyond", "warned"], {
    description: "warned: proven beyond its limit today; beyond: so right now, and about to be",
  }),
});
const ExpectationView = Type.Object({
  name: Type.String(),
  spec: Type.Unknown({ description: "As declared; categories, and conditions over what tells of groups, only with protected:read" }),
  onBreach: Type.Enum(["count", "warn", "refuse"]),
  isHidden: Type.Boolean({ description: "Part of it needs protected:read" }),
  checked: Type.Integer({ description: "Valid requests today (UTC)" }),
  unknown: Type.Integer({ description: "Of them, such whose condition couldn't be computed: an input was missing" }),
  breaches: Type.Array(BreachView),
});
export const ExpectationWarningView = Type.Object(
  {
    expectation: Type.String(),
    breach: Type.String(),
    at: Type.String({ description: "ISO 8601, UTC" }),
    checked: Type.Integer(),
    breached: Type.Integer(),
    share: Type.Number(),
    limit: Type.Number(),
  },
  { title: "ExpectationWarning" },
);
export type ExpectationWarningView = Static<typeof ExpectationWarningView>;
export const ExpectationsView = Type.Object(
  {
    endpoint: Type.String(),
    expectations: Type.Array(ExpectationView),
    refused: Type.Integer({ description: "Valid requests that were refused since this server started" }),
    warnings: Type.Array(ExpectationWarningView, { description: "Of the last 30 days, newest first" }),
  },
  { title: "Expectations" },
);
export type ExpectationsView = Static<typeof ExpectationsView>;

export interface ExpectationRouteParts {
  readonly releases: Releases;
  readonly expectations: Pick<ExpectationWatch, "states" | "warnings" | "refused">;
  readonly clock: { nowMs(): number };
}

const DAY_MS = 86_400_000;
const WARNING_DAYS = 30;

export const expectationRoutes = (parts: ExpectationRouteParts) => (app: Server) => {
  const { roomOf } = routeCommander(parts.releases);
  app.get(
    "/v1/endpoints/:endpoint/expectations",
    {
      config: { right: "read" },
      schema: {
        summary: "What an endpoint expects of its inputs, and how that stands today",
        description: "Counts are of valid requests that were looked at, retries included. Days are those of UTC.",
        tags: ["endpoints"],
        params: EndpointParams,
        response: { 200: ExpectationsView },
      },
    },
    async (request) => {
      const { name, definition } = roomOf(request.params.endpoint);
      const { expectations } = definition.compiled;
      const seesGroups = mayDo(principalOf(request), "protected:read");
      const states = expectations ? await parts.expectations.states(name, expectations) : [];
      const since = Math.floor(parts.clock.nowMs() / DAY_MS) - WARNING_DAYS;
      const warnings = await parts.expectations.warnings(name, since);
      return {
        endpoint: name,
        expectations: states.map((state) => stateView(state, seesGroups)),
        refused: parts.expectations.refused(name),
        warnings: warnings.map(warningView),
      };
    },
  );
};

export const warningView = ({ expectation, breach, atMs, checked, breached, limit }: ExpectationWarning): ExpectationWarningView => ({
  expectation,
  breach,
  at: iso(atMs),
  checked,
  breached,
  share: checked === 0 ? 0 : breached / checked,
  limit,
});

function stateView({ expectation, checked, unknown, breaches }: ExpectationState, seesGroups: boolean): Static<typeof ExpectationView> {
  const isHidden = expectation.isProtected && !seesGroups;
  return {
    name: expectation.name,
    spec: isHidden ? withoutGroups(expectation.spec) : expectation.spec,
    onBreach: expectation.spec.on_breach,
    isHidden,
    checked,
    unknown,
    breaches: breaches.map(({ breach, count, share, interval, limit, word }) => ({
      breach,
      count,
      share,
      interval: interval && { low: interval[0], high: interval[1] },
      limit,
      state: word,
    })),
  };
}

/** What the groups are called is for those who may see groups. */
function withoutGroups(spec: ExpectationSpec): unknown {
  if (!("input" in spec)) {
    const { condition: _condition, ...rest } = spec;
    return rest;
  }
  const { categories: _categories, ...rest } = spec;
  return rest;
}
