/** What people say about an incident: that they look into it, that it is resolved, that it is closed. Each with a reason. */
import { Type } from "typebox";
import { actorOf, type Principal } from "../access/index.ts";
import { movesFrom, saidStates, type Incident, type IncidentRefusal, type Incidents } from "../releases/index.ts";
import { unreachable } from "../std.ts";
import { IncidentDetailView } from "./incident-view.ts";
import { ProblemError } from "./problem.ts";
import { notFound, principalOf, type Server } from "./server.ts";

export interface IncidentMoveParts {
  readonly incidents: Incidents;
  /** The incident, where the principal may see it. @throws ProblemError */
  readonly find: (n: number, principal: Principal) => Promise<Incident>;
  readonly view: (incident: Incident, principal: Principal) => IncidentDetailView;
}

export const MoveBody = Type.Object(
  {
    to: Type.Enum([...saidStates], {
      description: "in_review: it is looked into (again); resolved: cause known, people put right; closed: nothing more will happen",
    }),
    reason: Type.String({ minLength: 1, maxLength: 2000, description: "Kept in the timeline and in the audit log" }),
  },
  { additionalProperties: false },
);

export function incidentMoves(app: Server, { incidents, find, view }: IncidentMoveParts): void {
  app.post(
    "/v1/incidents/:n/state",
    {
      config: { right: "route:write" },
      // Before the body is looked at: an incident that isn't this token's is as little there as one that isn't there at all.
      preValidation: async (request) => {
        const n = Number(request.params.n);
        if (Number.isSafeInteger(n)) await find(n, principalOf(request));
      },
      schema: {
        summary: "Say what has become of an incident, and why",
        description: "Resolving or closing it ends its alert: whoever was told that it began is told that it ended.",
        tags: ["incidents"],
        params: Type.Object({ n: Type.Integer({ minimum: 1 }) }),
        body: MoveBody,
        response: { 200: IncidentDetailView },
      },
    },
    async (request) => {
      const principal = principalOf(request);
      const { n } = await find(request.params.n, principal);
      const { to, reason } = request.body;
      const moved = await incidents.move(n, to, { actor: { kind: "person", name: actorOf(principal) }, reason });
      if (!moved.ok) throw moveProblem(n, to, moved.error);
      return view(moved.value, principal);
    },
  );
}

function moveProblem(n: number, to: string, refusal: IncidentRefusal): ProblemError {
  switch (refusal.kind) {
    case "unknown-incident":
      return notFound(`incident ${n}`);
    case "needs-a-reason":
      return new ProblemError("invalid", undefined, [{ path: "/reason", expected: "why, in words", got: "only spaces" }]);
    case "not-from-here": {
      const [state, moves] = [inWords(refusal.state), movesFrom(refusal.state).map(inWords)];
      const instead = moves.length === 0 ? "Nothing follows: a new finding opens a new incident." : `It can be ${moves.join(" or ")}.`;
      return new ProblemError("conflict", `Incident ${n} is ${state}, and can't be ${inWords(to)} from there. ${instead}`);
    }
    default:
      return unreachable(refusal);
  }
}

const inWords = (state: string): string => state.replaceAll("_", " ");
