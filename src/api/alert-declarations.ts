/** Channels and alerts in the YAML that `POST /v1/apply` takes. */
import { actorOf, mayDo, rolesWith, type Principal, type Right } from "../access/index.ts";
import { valueAt } from "../checked.ts";
import { unknownIssues, type Alerts, type Before, type DeclarationKind, type DeclarationRefusal } from "../monitoring/index.ts";
import { unreachable, type Issue } from "../std.ts";
import type { ChangeView } from "./endpoint-view.ts";
import { ProblemError } from "./problem.ts";
import { notFound } from "./server.ts";

export interface ApplyAlertsRequest {
  readonly principal: Principal;
  readonly locate: (issue: Issue) => Issue;
  readonly isDry: boolean;
  /** What stands before it in the same file. */
  readonly before: Before;
}

/** Declares a channel, or who is told of what, for whoever may. @throws ProblemError */
export async function applyAlerts(
  alerts: Alerts,
  kind: DeclarationKind,
  value: unknown,
  { principal, locate, isDry, before }: ApplyAlertsRequest,
): Promise<ChangeView> {
  refuse(principal, "alerts:write", "it says where alerts go");
  if (kind === "channel" && valueAt(value, "/groups") === true)
    refuse(principal, "protected:read", "this channel is told which group was harmed");
  const by = { actor: actorOf(principal), reason: "applied a file" };
  const done = isDry ? await alerts.declarations.plan(kind, value, before) : await alerts.declarations.apply(kind, value, by);
  if (!done.ok) throw declarationProblem(done.error, `${kind}`, locate);
  const { name, change } = done.value;
  return { kind, name, release: null, change };
}

/** Channels that an endpoint's guardrails name and nobody has declared, here or in the same file. */
export async function unknownChannels(alerts: Alerts, endpoint: unknown, declared: readonly string[]): Promise<readonly Issue[]> {
  const guardrails = valueAt(endpoint, "/guardrails");
  if (!Array.isArray(guardrails)) return [];
  const named = guardrails.map((guardrail: unknown) => valueAt(guardrail, "/tell"));
  // Most name none; what isn't a list of names is told of by the endpoint's own schema.
  if (named.every((tell) => tell === undefined)) return [];
  const known = [...(await alerts.declarations.all()).channels.map(({ name }) => name), ...declared];
  return named.flatMap((tell, i) =>
    Array.isArray(tell) && tell.every((name) => typeof name === "string")
      ? unknownIssues(`/guardrails/${i}/tell`, tell, known, "channel")
      : [],
  );
}

function refuse(principal: Principal, right: Right, why: string): void {
  if (mayDo(principal, right)) return;
  const { name, role } = principal;
  throw new ProblemError(
    "forbidden",
    `The token "${name}" (${role}) lacks the right ${right}, which ${rolesWith(right).join(", ")} can have: ${why}.`,
  );
}

export function declarationProblem(
  refusal: DeclarationRefusal,
  what: string,
  locate: (issue: Issue) => Issue = (issue) => issue,
): ProblemError {
  switch (refusal.kind) {
    case "invalid":
      return new ProblemError("invalid", "Nothing was changed.", refusal.issues.map(locate));
    case "unknown":
      return notFound(what);
    case "in-use":
      return new ProblemError("conflict", `It is still told by ${refusal.by.join(", ")}: take it out there first.`);
    default:
      return unreachable(refusal);
  }
}
