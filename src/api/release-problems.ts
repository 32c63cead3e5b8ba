/** Refusals of releases and registry as problem details. */
import type { EndpointRoom, ReleaseRefusal } from "../releases/index.ts";
import { explain } from "../releases/index.ts";
import { ProblemError, type ProblemKind } from "./problem.ts";

const KINDS: Partial<Record<ReleaseRefusal["kind"], ProblemKind>> = {
  invalid: "invalid",
  unknown: "not-found",
  "unknown-endpoint": "not-found",
  "unknown-reference": "not-found",
  "unknown-release": "not-found",
  "cannot-load": "unprocessable",
  "bad-share": "invalid",
  "needs-a-reason": "invalid",
};

/** @param room - names the releases in the sentence, where it is known */
export function releaseProblem(refusal: ReleaseRefusal, room?: EndpointRoom): ProblemError {
  const issues = "issues" in refusal ? refusal.issues : [];
  const detail = explain(refusal, (id) => {
    const number = room?.releases.get(id)?.number;
    return number === undefined ? "the release" : `r${number}`;
  });
  return new ProblemError(KINDS[refusal.kind] ?? "conflict", detail, issues);
}
