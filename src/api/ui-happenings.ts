/** What happened, moment by moment: how the release came to answer people, the proof, the rollback, and what was done about it. */
import { Type } from "typebox";
import { checked } from "../checked.ts";
import { stepName } from "../diagnosis/index.ts";
import type { Incident, IncidentEvent, Releases, Transition } from "../releases/index.ts";
import { unreachable } from "../std.ts";
import type { GroupNames } from "./group-names.ts";
import { shareIn } from "./route-views.ts";
import { reasonFor } from "./shown-reason.ts";
import { actorName } from "./ui-parts.ts";
import type { HappeningView } from "./ui-view.ts";

const TRANSITIONS_MAX = 200;

export async function happeningsOf(incident: Incident, releases: Releases, names: GroupNames, name: string): Promise<HappeningView[]> {
  const history = await releases.history(incident.endpoint, { limit: TRANSITIONS_MAX });
  const before = history
    .toReversed()
    .filter(({ atMs }) => atMs <= incident.openedAtMs)
    .flatMap((transition) => placing(transition, incident, names, name) ?? []);
  // A further proof may have been stored after what came of the first.
  return [...before, ...incident.events.map((event) => happening(event, incident, names))].toSorted((a, b) => a.happenedMs - b.happenedMs);
}

/** How the release of the incident was placed; undefined for what is about another one, or stands among the events. */
function placing(transition: Transition, { release }: Incident, names: GroupNames, name: string): HappeningView | undefined {
  const { change, actor, atMs } = transition;
  const share = shareIn(change);
  const percent = share === null || share === 1 ? "" : ` ${Math.round(share * 1000) / 10} %`;
  const said = (mark: HappeningView["mark"], text: string): HappeningView => ({
    happenedMs: atMs,
    sinceProofUs: null,
    mark,
    text: `${name} ${text}`,
    detail: `${actorName(actor)}: ${reasonFor(transition, names)}`,
  });
  switch (change.kind) {
    case "shadow-started":
    case "shadow-changed":
      return change.release === release ? said("shadow", `shadow${percent}`) : undefined;
    case "canary-started":
    case "canary-changed":
      return change.release === release ? said("canary", `canary${percent}`) : undefined;
    case "ab-started":
      return change.arms.some((arm) => arm.release === release) ? said("canary", "arm of an A/B test") : undefined;
    case "promoted":
      return change.live === release ? said("live", "live") : undefined;
    case "reinstated":
      return change.release === release ? said("person", "reinstated") : undefined;
    case "rollout-started":
      return change.release === release ? said("canary", `rollout started, ${change.plan.length} steps`) : undefined;
    case "rollout-advanced":
      return change.release === release ? said("canary", `rollout in step ${change.step + 1}`) : undefined;
    case "rollout-approved":
      return change.release === release ? said("person", "rollout approved") : undefined;
    case "rollout-aborted":
      return change.release === release ? said("check", "rollout ended early") : undefined;
    case "registered":
    case "fallback-set":
    case "shadow-stopped":
    case "canary-stopped":
    case "rolled-back":
    case "condemned":
    case "rollout-paused":
    case "rollout-continued":
    case "drill-started":
    case "drill-ended":
    case "ab-ended":
    case "rollouts-held":
    case "rollouts-resumed":
      return undefined;
    default:
      return unreachable(change);
  }
}

const parseBlamed = checked(Type.Object({ tier: Type.Integer(), word: Type.String(), steps: Type.Array(Type.String()) }));

function happening(event: IncidentEvent, { body }: Incident, names: GroupNames): HappeningView {
  const { atMs, sinceProofUs, kind, text, actor } = event;
  const base = { happenedMs: atMs, sinceProofUs: sinceProofUs === null ? null : Math.round(sinceProofUs) };
  const byPerson = `${actorName({ kind: "person", name: actor })}: ${text}`;
  switch (kind) {
    case "proven": {
      const guardrail = actorName({ kind: "system", name: actor });
      return { ...base, mark: "breach", text: `Guardrail ${guardrail} has its proof`, detail: names.areVisible ? text : null };
    }
    case "failed":
      return { ...base, mark: "breach", text: capital(text), detail: null };
    case "rolled-back-by-hand":
      return { ...base, mark: "person", text: "Rolled back by hand", detail: byPerson };
    case "checked":
      return { ...base, mark: "check", text, detail: null };
    case "rolled-back":
      return { ...base, mark: "rollback", text, detail: null };
    case "drained":
      return { ...base, mark: "record", text: capital(text), detail: failedText(body.rollback?.failedRequests ?? null) };
    case "not-rolled-back":
      return { ...base, mark: "breach", text: capital(text), detail: null };
    case "blamed": {
      const blamed = parseBlamed(event.detail);
      if (!blamed.ok) return { ...base, mark: "search", text, detail: null };
      const { tier, word, steps } = blamed.value;
      return {
        ...base,
        mark: "search",
        text: tier === 0 ? "Cause looked for in the log" : "Cause looked for by training again",
        detail: causeSaid(word, steps.map(stepName).join(" and ")),
      };
    }
    case "looked-into":
      return { ...base, mark: "record", text: capital(text), detail: null };
    case "noted":
      return { ...base, mark: "person", text: "Note", detail: byPerson };
    // Moved on by a person, with a reason.
    default:
      return { ...base, mark: "person", text: `Now ${kind.replaceAll("_", " ")}`, detail: byPerson };
  }
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function causeSaid(word: string, steps: string): string {
  if (steps === "") return word;
  return word === "most likely" ? `${word} ${steps}` : word === "did it" ? `${steps} ${word}` : `${steps}, ${word}`;
}

const failedText = (requests: number | null): string | null =>
  requests === null ? null : requests === 0 ? "no request failed" : `${requests.toLocaleString("en")} failed`;
