/** The reasons of a decision as the API tells them: in its answer where there is time, or afterwards. */
import { Type, type Static } from "typebox";
import { orNull } from "../checked.ts";
import { ReasonsReport, type Reasons, type ReasonsRefusal } from "../diagnosis/index.ts";
import { asError, unreachable, type DecisionId } from "../std.ts";
import type { Store } from "../store/index.ts";
import { ProblemError } from "./problem.ts";
import { releaseProblem } from "./release-problems.ts";
import { notFound } from "./server.ts";

/** In the answer to an application that asked for it. */
export const Explanation = Type.Object(
  {
    reasons: orNull(ReasonsReport),
    why: orNull(Type.String({ description: "Why there are none yet" })),
    address: Type.String({ description: "Where they are, or will be" }),
  },
  { title: "Explanation" },
);
export type Explanation = Static<typeof Explanation>;

/** As long as the gateway gives all scorers of a decision together. */
const DEADLINE_MS = 500;

interface ExplanationParts {
  readonly store: Pick<Store, "runtime">;
  readonly reasons: Pick<Reasons, "of">;
  readonly onError: (error: Error, reference: string) => void;
}

/**
 * The reasons of an answer that was just recorded, or why it has none: it must not come later, or fail, for them. What isn't found in
 * time is found all the same, and kept for whoever asks at the address.
 * @param startedUs - when the request arrived, on the runtime's monotonic clock
 */
export async function explanationFor(
  { store, reasons, onError }: ExplanationParts,
  { endpoint, id, startedUs }: { readonly endpoint: string; readonly id: DecisionId; readonly startedUs: number },
): Promise<Explanation> {
  const { clock, timers } = store.runtime;
  const address = `/v1/endpoints/${encodeURIComponent(endpoint)}/decisions/${id}/reasons`;
  const leftMs = DEADLINE_MS - (clock.monotonicUs() - startedUs) / 1000;
  const none = (why: string): Explanation => ({ reasons: null, why, address });
  const found = reasons.of(endpoint, id).then(
    (report): Explanation => (report.ok ? { reasons: report.value, why: null, address } : none(reasonsProblem(report.error).message)),
    (error: unknown) => {
      onError(asError(error), `reasons of decision ${id}`);
      return none("They could not be found just now.");
    },
  );
  if (leftMs <= 0) return none(LATER);
  return Promise.race([found, timers.sleep(leftMs).then(() => none(LATER))]);
}

const LATER = "There was no time left for them in this answer: they are found now.";

/** Why there are no reasons, for the caller. */
export function reasonsProblem(refusal: ReasonsRefusal): ProblemError {
  switch (refusal.kind) {
    case "unknown-decision":
      return notFound("such decision");
    case "erased":
      return new ProblemError("conflict", "The person was erased before anybody asked for the reasons: what was said of them is gone.");
    case "no-longer-taken":
      return new ProblemError("conflict", "The endpoint's inputs have changed since: it no longer takes what was asked then.");
    case "too-few":
      return new ProblemError(
        "conflict",
        `There are not enough approved people yet to compare with: ${refusal.needed} are needed, ${refusal.there} there.`,
      );
    case "not-reproduced":
      return new ProblemError(
        "conflict",
        `The model no longer gives the score that was recorded: ${refusal.recorded ?? "none"} then, ${refusal.now} now. Reasons would be about another answer.`,
      );
    case "not-explainable":
      return new ProblemError(
        "conflict",
        "The release's scorer can't be asked about anybody but whole people, so nothing can be said about single features.",
      );
    case "scorer":
      return new ProblemError("overloaded", `The release that answered doesn't answer now: ${refusal.message}.`);
    case "release":
      return releaseProblem(refusal.refusal);
    case "busy":
      return new ProblemError("overloaded", "Too many reasons are being found at once. Try again in a second.");
    default:
      return unreachable(refusal);
  }
}
