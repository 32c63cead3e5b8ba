/** Why a recorded decision came out as it did. */
import { Type, type Static } from "typebox";
import { mayDo, type ProtectedReads } from "../access/index.ts";
import { orNull } from "../checked.ts";
import { ReasonsReport, type Reasons } from "../diagnosis/index.ts";
import type { DecisionId } from "../std.ts";
import { reasonsProblem } from "./reason-views.ts";
import { principalOf, type Server } from "./server.ts";

export const ReasonsView = Type.Object(
  {
    ...ReasonsReport.properties,
    values: orNull(
      Type.Record(Type.String(), Type.Union([Type.Number(), Type.String(), Type.Boolean(), Type.Null()]), {
        description: "The person's inputs by feature of the reasons; only for readers with protected:read, null once erased",
      }),
    ),
  },
  { title: "DecisionReasons" },
);
export type ReasonsView = Static<typeof ReasonsView>;

export const reasonRoutes =
  ({ reasons, reads }: { readonly reasons: Reasons; readonly reads: ProtectedReads }) =>
  (app: Server) => {
    app.get(
      "/v1/endpoints/:endpoint/decisions/:id/reasons",
      {
        config: { right: "decisions:read" },
        schema: {
          summary: "The principal reasons of a decision",
          description:
            "At most four features that moved the score most, towards the action that was given, against people whom the release approved. Found when first asked for and kept: the same decision always has the same reasons.",
          tags: ["decisions"],
          params: Type.Object({ endpoint: Type.String(), id: Type.String() }),
          response: { 200: ReasonsView },
        },
      },
      async (request) => {
        const { endpoint, id } = request.params;
        const found = await reasons.of(endpoint, asDecisionId(id));
        if (!found.ok) throw reasonsProblem(found.error);
        const values = mayDo(principalOf(request), "protected:read")
          ? await reasons.valuesOf(endpoint, asDecisionId(id), found.value)
          : null;
        const shown = values && Object.keys(values).length > 0 ? 1 : 0;
        await reads.note(principalOf(request), { object: `decision/${id}`, asked: { endpoint, view: "reasons" }, shown });
        return { ...found.value, values };
      },
    );
  };

/** Whether there is one with this id is the log's to say. */
const asDecisionId = (id: string): DecisionId => id as DecisionId;
