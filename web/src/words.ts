/** What is said about guardrails, transitions and incidents: word, colour and shape always together. Pure. */
import type {
  ClosestView,
  EndpointRowView,
  GuardrailsView,
  IncidentMoveView,
  IncidentStateView,
  NeedsYouView,
  ToldView,
  TransitionView,
} from "../../src/api/ui-view.ts";
import { count, counted, decimals, duration, evidenceOf, people, rate, ratio, share, type Times } from "./format.ts";
import type { IconName } from "./ui/icon.tsx";

export type Tone = "ok" | "watch" | "breach" | "idle";
export interface Said {
  readonly tone: Tone;
  readonly icon: IconName;
  readonly word: string;
}

export function guardrailsSaid(view: GuardrailsView, times: Times): Said & { readonly line: string } {
  switch (view.kind) {
    case "holds":
      return { tone: "ok", icon: "tick", word: `${count(view.hold)} hold`, line: closestLine(view.closest, "limit") };
    case "watched":
      return { tone: "watch", icon: "triangle", word: `${count(view.watched)} watched`, line: closestLine(view.closest, "evidence") };
    case "breached":
      return { tone: "breach", icon: "octagon", word: `${count(view.breached)} breached`, line: closestLine(view.closest, "evidence") };
    case "waits":
      return {
        tone: "idle",
        icon: "waiting",
        word: `${count(view.waiting)} of ${count(view.of)} wait`,
        line: closestLine(view.closest, "limit"),
      };
    case "on-fallback":
      return {
        tone: "watch",
        icon: "triangle",
        word: "On fallback",
        line: `since ${times.moment(view.sinceMs)}: ${view.because}`,
      };
    case "not-watched": {
      const line = view.because === "no-live-release" ? "no live release yet" : "no guardrails declared";
      return { tone: "idle", icon: "waiting", word: "Not watched", line };
    }
    default:
      return unreachable(view);
  }
}

/** The second line of a row: the guardrail closest to its limit, or what it still waits for. */
function closestLine(closest: ClosestView | null, tell: "limit" | "evidence"): string {
  if (!closest) return "";
  const { metric, group, estimate, limit, unit, needed, decisions, release, place } = closest;
  const isBeside = place === "canary" || place === "ab" || place === "shadow";
  const who = isBeside ? `${release} ${place === "ab" ? "A/B arm" : place}: ` : "";
  if (needed !== null && decisions < needed) {
    return isBeside
      ? `${who}${count(decisions)} of ${count(needed)} decisions`
      : `${metric} needs ${count(needed)} decisions, has ${count(decisions)}`;
  }
  const what = [metric, group, estimate === null ? "unknown" : valueOf(unit, estimate, limit)].filter(Boolean).join(" ");
  if (tell === "evidence") return `${who}${what}, evidence ${evidenceOf(closest.evidence, closest.threshold)}`;
  return `${who || "closest: "}${what}, limit ${valueOf(unit, limit)}`;
}

/** A metric's value, or its limit, in its unit. */
export function valueOf(unit: ClosestView["unit"], value: number, limit?: number): string {
  switch (unit) {
    case "ratio":
      return ratio(value, limit);
    case "rate":
      return rate(value);
    case "ms":
      return duration(value * 1000);
    default:
      return unreachable(unit);
  }
}

export function transitionSaid({ kind, release, share: part }: TransitionView): { readonly icon: IconName; readonly text: string } {
  const name = release ?? "";
  const percent = part === null ? "" : ` ${share(part)}`;
  switch (kind) {
    case "registered":
      return { icon: "box", text: `${name} registered` };
    case "fallback-set":
      return { icon: "fallback", text: `${name} is the fallback` };
    case "shadow-started":
    case "shadow-changed":
      return { icon: "shadow", text: `${name} shadow${part === 1 ? "" : percent}` };
    case "shadow-stopped":
      return { icon: "shadow", text: `${name} shadow stopped` };
    case "canary-started":
    case "canary-changed":
      return { icon: "canary", text: `${name} canary${percent}` };
    case "canary-stopped":
      return { icon: "canary", text: `${name} canary stopped` };
    case "promoted":
      return { icon: "live", text: `${name} live` };
    case "rolled-back":
      return { icon: "back", text: `Rolled back to ${name}` };
    case "condemned":
      return { icon: "condemned", text: `${name} condemned` };
    case "reinstated":
      return { icon: "tick", text: `${name} reinstated` };
    case "rollout-started":
      return { icon: "canary", text: `${name} rollout started` };
    case "rollout-advanced":
      return { icon: "canary", text: `${name} rollout went on` };
    case "rollout-approved":
      return { icon: "tick", text: `${name} rollout approved` };
    case "rollout-paused":
      return { icon: "standby", text: `${name} rollout paused` };
    case "rollout-continued":
      return { icon: "canary", text: `${name} rollout continued` };
    case "rollout-aborted":
      return { icon: "condemned", text: `${name} rollout ended early` };
    case "drill-started":
      return { icon: "back", text: `Drill: back to ${name}` };
    case "drill-ended":
      return { icon: "live", text: `Drill ended: ${name} live` };
    case "ab-started":
      return { icon: "canary", text: `A/B test with ${name} started` };
    case "ab-ended":
      return { icon: "live", text: `A/B test with ${name} ended` };
    case "rollouts-held":
      return { icon: "standby", text: "Rollouts held" };
    case "rollouts-resumed":
      return { icon: "live", text: "Rollouts resumed" };
    default:
      return unreachable(kind);
  }
}

/** A way back that was tried and failed. */
export const failedDrillSaid = ({ target, failed }: NonNullable<EndpointRowView["failedDrill"]>): Said & { readonly line: string } => ({
  tone: "breach",
  icon: "triangle",
  word: "rollback not proven",
  line:
    failed > 0 ? `the rehearsal found no answer of ${target} for ${failed} applications` : `the rehearsal found nothing to ask ${target}`,
});

const incidentStates = {
  open: { tone: "breach", icon: "octagon", word: "open" },
  contained: { tone: "watch", icon: "triangle", word: "contained" },
  in_review: { tone: "watch", icon: "triangle", word: "in review" },
  resolved: { tone: "ok", icon: "tick", word: "resolved" },
  closed: { tone: "idle", icon: "tick", word: "closed" },
} as const satisfies Record<IncidentStateView, Said>;

export const incidentSaid = (state: IncidentStateView): Said => incidentStates[state];

const moves = {
  in_review: "Review",
  resolved: "Resolve",
  closed: "Close",
} as const satisfies Record<IncidentMoveView, string>;

/** The command that brings an incident there. */
export const moveSaid = (to: IncidentMoveView): string => moves[to];

const news = {
  opened: "what happened",
  escalated: "that nobody had acknowledged",
  changed: "what had changed",
  acknowledged: "that somebody sees to it",
  repeated: "that it goes on",
  resolved: "that it is over",
} as const satisfies Record<ToldView["news"], string>;

/** What a channel was told: `that it is over`. */
export const newsSaid = (word: ToldView["news"]): string => news[word];

/** Whether a message has arrived. */
export function toldSaid({ state, attempts }: Pick<ToldView, "state" | "attempts">): Said {
  switch (state) {
    case "delivered":
      return { tone: "ok", icon: "tick", word: "delivered" };
    case "pending":
      return attempts === 0
        ? { tone: "idle", icon: "standby", word: "on its way" }
        : { tone: "watch", icon: "triangle", word: `not delivered yet, tried ${attempts === 1 ? "once" : `${count(attempts)} times`}` };
    case "dead":
      return { tone: "breach", icon: "octagon", word: "given up" };
    case "dropped":
      return { tone: "idle", icon: "standby", word: "channel removed" };
    default:
      return unreachable(state);
  }
}

/** The sentences of a *needs you* line: what was done, what was found, for how many people. */
export function needsYouSaid(
  view: NeedsYouView,
  times: Times,
): { readonly lead: string; readonly finding: string; readonly people: string } {
  const { endpoint, rolledBackMs, openedMs, finding, failedRequests, affected } = view;
  const failed = failedRequests === null ? "" : ` ${failedSentence(failedRequests)}`;
  return {
    lead:
      rolledBackMs === null
        ? `${endpoint} needs somebody since ${times.moment(openedMs)}.`
        : `${endpoint} was rolled back at ${times.moment(rolledBackMs)}.`,
    finding: `${finding}.${failed}`,
    people: affected ? `${people(affected)} would have had a better answer.` : "",
  };
}

export const failedSentence = (requests: number): string =>
  requests === 0 ? "No request failed." : `${counted(requests, "request", "requests")} failed.`;

/** `the training data did it`: the verdict as a sentence without its full stop. */
export function verdictSentence({ word, steps }: { readonly word: string; readonly steps: readonly string[] }): string {
  const named = steps.join(" and ");
  switch (word) {
    case "did it":
      return capital(`${named} did it`);
    case "most likely":
      return `Most likely ${named}`;
    case "these two together":
      return capital(`${named}, these two together`);
    default:
      return capital(word);
  }
}

/** The same in a word or two: `The training data`, `Most likely the threshold`. */
export function causeSaid({ word, steps }: { readonly word: string; readonly steps: readonly string[] }): string {
  const named = steps.join(" and ");
  if (named === "") return capital(word);
  return word === "most likely" ? `Most likely ${named}` : capital(named);
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Whole numbers as they are, others with two decimals: bounds of scales. */
export const plain = (value: number): string => (Number.isInteger(value) ? count(value) : decimals(value, 2));

/** The end of every switch over a union. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
