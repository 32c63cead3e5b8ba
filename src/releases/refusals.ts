/** Why something about releases wasn't done, in words for people. Nothing was changed. */
import type { Refusal } from "../registry/index.ts";
import { unreachable, type Issue, type ReleaseId } from "../std.ts";
import type { Rejection } from "./route-commands.ts";

export type ReleaseRefusal =
  | Rejection
  /** Something in what was sent, or a registry reference in it. */
  | Refusal
  | { readonly kind: "unknown-endpoint"; readonly endpoint: string; readonly hint?: string }
  | { readonly kind: "unknown-reference"; readonly reference: string; readonly hint: string }
  /** The guardrail has its proof against it, in its present life. */
  | { readonly kind: "error-budget-spent"; readonly release: ReleaseId; readonly guardrail: string }
  /** It can't be made to answer. */
  | { readonly kind: "cannot-load"; readonly release: ReleaseId; readonly issues: readonly Issue[] };

/**
 * One or two sentences: what stands against it, and what to do instead.
 * @param nameOf - a release as people see it, `r12`
 */
export function explain(refusal: ReleaseRefusal, nameOf: (release: ReleaseId) => string): string {
  switch (refusal.kind) {
    case "invalid":
      return "Something in it is not as expected.";
    case "unknown":
      return noSuch(`${refusal.what} ${refusal.name}`, refusal.hint);
    case "forbidden":
    case "conflict":
      return `${refusal.message}.`;
    case "unknown-endpoint":
      return noSuch(`endpoint ${refusal.endpoint}`, refusal.hint);
    case "unknown-reference":
      return `There is no release ${refusal.reference} here: ${refusal.hint}.`;
    case "cannot-load":
      return `${nameOf(refusal.release)} can't be made to answer; the route is as it was.`;
    case "error-budget-spent": {
      const name = nameOf(refusal.release);
      return `The error budget of ${name} is already spent: ${refusal.guardrail} has proven harm of it, and proves nothing twice. Condemn it and let a named person reinstate it, with a new budget, or take another release.`;
    }
    case "no-fallback-yet":
      return "The endpoint has no fallback yet: apply its definition first.";
    case "stale-generation":
      return `The route has moved on to generation ${refusal.actual} since you saw ${refusal.expected}: look again, then decide.`;
    case "command-id-reused":
      return `The command id ${refusal.command} was used for another command: use a new one.`;
    case "needs-a-named-person":
      return "A named person has to answer for this.";
    case "needs-a-reason":
      return "Say why: this is kept with it.";
    case "unknown-release":
      return `${nameOf(refusal.release)} isn't a release of this endpoint.`;
    case "already-known":
      return `${nameOf(refusal.release)} is known already.`;
    case "condemned-release":
      return `${nameOf(refusal.release)} is condemned: it serves nobody until a named person reinstates it.`;
    case "not-condemned":
      return `${nameOf(refusal.release)} isn't condemned.`;
    case "already-condemned":
      return `${nameOf(refusal.release)} is condemned already.`;
    case "already-live":
      return `${nameOf(refusal.release)} is live already.`;
    case "already-canary":
      return `${nameOf(refusal.release)} is the canary already, with that share and condition.`;
    case "already-shadow":
      return `${nameOf(refusal.release)} is a shadow already, with that share.`;
    case "already-fallback":
      return `${nameOf(refusal.release)} is the fallback already.`;
    case "not-live":
      return `${nameOf(refusal.release)} isn't live: ${nameOf(refusal.live)} is.`;
    case "not-shadow":
      return `${nameOf(refusal.release)} isn't a shadow.`;
    case "no-canary":
      return "There is no canary.";
    case "canary-under-way":
      return `${nameOf(refusal.release)} is the canary: stop it or promote it first.`;
    case "too-many-shadows":
      return `There are ${refusal.limit} shadows already: stop one first.`;
    case "bad-share":
      return `A canary's share is above 0 and below 1, a shadow's above 0 and at most 1, not ${refusal.share}; to give a release everybody, promote it.`;
    case "live-is-rolled-back-instead":
      return `${nameOf(refusal.release)} is live: roll back, which condemns it.`;
    case "fallback-stays":
      return `${nameOf(refusal.release)} is the fallback, which can't be condemned: apply a definition with another one first.`;
    case "not-a-candidate": {
      const names = refusal.candidates.map(nameOf).join(", ");
      return `${nameOf(refusal.release)} wasn't live and good before: a rollback goes to ${names}. To make a release live for the first time, promote it.`;
    }
    case "nowhere-to-roll-back":
      return "There is nothing to roll back to: the fallback is live and no earlier release is left. Promote a release.";
    case "too-many-automatic-rollbacks":
      return `There were ${refusal.limit} automatic rollbacks within a day: a person has to decide now.`;
    case "rollout-under-way":
      return `${nameOf(refusal.release)} is being rolled out: abort that rollout, or let it end, first.`;
    case "no-rollout":
      return "No such rollout is under way.";
    case "no-steps":
      return "A rollout has at least one step; to make a release live at once, promote it.";
    case "not-that-step":
      return `The rollout is in step ${refusal.present + 1}, not in step ${refusal.step + 1}: look again, then decide.`;
    case "is-paused":
      return `The rollout of ${nameOf(refusal.release)} is paused.`;
    case "not-paused":
      return `The rollout of ${nameOf(refusal.release)} isn't paused.`;
    case "needs-approval":
      return refusal.startedBy === null
        ? `This endpoint asks for a second person: start a rollout of ${nameOf(refusal.release)}, and let somebody else approve it.`
        : `Somebody else than ${refusal.startedBy} has to approve the rollout of ${nameOf(refusal.release)} first.`;
    case "needs-a-second-person":
      return `${refusal.startedBy} started this rollout: somebody else has to approve it.`;
    case "nothing-to-approve":
      return "This step of the rollout needs nobody's approval.";
    case "already-approved":
      return `${refusal.by} has approved this step already.`;
    case "frozen":
      return `Nothing new goes to people until ${new Date(refusal.untilMs).toISOString()}: ${refusal.why}. Rolling back is possible at any time.`;
    case "drill-under-way":
      return `A drill is under way and puts ${nameOf(refusal.release)} back in a moment.`;
    case "no-drill":
      return "No drill is under way.";
    case "bad-arms":
      return BAD_ARMS[refusal.why].replace("LIVE", nameOf(refusal.live));
    case "ends-at-once":
      return "The A/B test would end as it begins: it takes at least one answer, and a time to come.";
    case "ab-under-way":
      return "An A/B test is under way: end it first. Only one of its arms can be promoted meanwhile.";
    case "no-ab":
      return "No A/B test is under way, or not that one any more.";
    case "rollouts-held":
      return "Automatic rollouts are held until a named person resumes them.";
    case "already-held":
      return "Automatic rollouts are held already.";
    case "not-held":
      return "Automatic rollouts aren't held.";
    default:
      return unreachable(refusal);
  }
}

const noSuch = (what: string, hint: string | undefined): string =>
  hint === undefined ? `There is no ${what}.` : `There is no ${what}: ${hint}${hint.endsWith("?") ? "" : "."}`;

const BAD_ARMS = {
  count: "An A/B test has two to four arms.",
  twice: "Every arm of an A/B test is another release.",
  weight: "Weights are whole numbers from 1 to 1000.",
  "live-is-missing": "One arm of an A/B test is the release that is live, LIVE: the others are compared with it.",
} as const;
