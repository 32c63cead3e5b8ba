/** What an endpoint expects of its inputs, and how that stands, as a reader may see it. */
import { Type, type Static } from "typebox";
import { orNull } from "../checked.ts";
import type { ExpectationState, ExpectationWarning } from "../monitoring/index.ts";
import { BREACHES, type ExpectationSpec } from "../serving/index.ts";
import { iso } from "./iso.ts";

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

export const warningView = ({ expectation, breach, atMs, checked, breached, limit }: ExpectationWarning): ExpectationWarningView => ({
  expectation,
  breach,
  at: iso(atMs),
  checked,
  breached,
  share: checked === 0 ? 0 : breached / checked,
  limit,
});

export function stateView(
  { expectation, checked, unknown, breaches }: ExpectationState,
  seesGroups: boolean,
): Static<typeof ExpectationView> {
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
