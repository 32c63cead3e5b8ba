/** Refusals of releases and registry as problem details. */
import type { EndpointRoom, ReleaseRefusal } from "../releases/index.ts";
import { explain } from "../releases/index.ts";
import type { Issue } from "../std.ts";
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
  const issues = "issues" in refusal ? refusal.issues : unknownIn(refusal);
  const detail = explain(refusal, (id) => {
    const number = room?.releases.get(id)?.number;
    return number === undefined ? "the release" : `r${number}`;
  });
  return new ProblemError(KINDS[refusal.kind] ?? "conflict", detail, issues);
}

/** What a declaration names and nobody knows, with its place in it. */
function unknownIn(refusal: ReleaseRefusal): readonly Issue[] {
  switch (refusal.kind) {
    case "unknown-endpoint":
      return [{ path: "/endpoint", expected: "an endpoint that is there", got: refusal.endpoint, ...hintIn(refusal) }];
    case "unknown-reference":
      return [{ path: "/release", expected: "a release of the endpoint", got: refusal.reference, ...hintIn(refusal) }];
    case "unknown":
      return [
        {
          path: refusal.what === "feature set" ? "/features" : "/model",
          expected: `a ${refusal.what}`,
          got: refusal.name,
          ...hintIn(refusal),
        },
      ];
    default:
      return [];
  }
}

const hintIn = ({ hint }: { readonly hint?: string }) => (hint === undefined ? {} : { hint });
