/** Why one decision came out as it did, as it is stored and told. Holds no value of any input. */
import { Type, type Static } from "typebox";
import { orNull } from "../checked.ts";

const Share = orNull(Type.Number({ description: "Of the whole difference; 1 is all of it" }));

export const ReasonsReport = Type.Object(
  {
    decision: Type.String(),
    action: Type.String(),
    favourable: Type.Boolean(),
    score: orNull(Type.Number()),
    method: Type.Union([Type.Literal("rules"), Type.Literal("linear"), Type.Literal("trees"), Type.Literal("sampled")], {
      description: "rules: as the rule says; linear, trees: exact Shapley values; sampled: estimated, with a standard error",
    }),
    scale: Type.Union([Type.Literal("score"), Type.Literal("log-odds")], { description: "What contributions are counted in" }),
    reference: orNull(
      Type.Object(
        {
          id: Type.String({ description: "Of the population; the same people, the same id" }),
          source: Type.Union([Type.Literal("approved"), Type.Literal("approved_on_replay")], {
            description: "People whom the release approved; or, while these are fewer than 30, recorded people whom it would approve",
          }),
          people: Type.Integer(),
          meanScore: Type.Number(),
        },
        { title: "ReasonsReference" },
      ),
    ),
    from: orNull(Type.Number({ description: "Mean of the reference, on the scale" })),
    to: orNull(Type.Number({ description: "The person's, on the scale: from, and all contributions" })),
    reasons: Type.Array(
      Type.Object(
        {
          code: orNull(Type.String()),
          text: Type.String(),
          features: Type.Array(Type.String()),
          contribution: orNull(Type.Number()),
          share: Share,
          standardError: orNull(Type.Number({ description: "Of the contribution; 0 where it is exact" })),
        },
        { title: "PrincipalReason" },
      ),
      { description: "At most four, the weightiest first: only what led to the action" },
    ),
    withheld: orNull(
      Type.Object(
        { attributes: Type.Array(Type.String()), features: Type.Array(Type.String()), contribution: Type.Number(), share: Share },
        { title: "WithheldReasons", description: "What protected attributes moved. Never a reason, and a reason to look closer" },
      ),
    ),
    others: orNull(Type.Number({ description: "What everything moved that is neither told nor withheld" })),
  },
  { title: "Reasons" },
);
export type ReasonsReport = Static<typeof ReasonsReport>;
