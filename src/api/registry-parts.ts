/** What the routes of the registry share: their parts, refusals as problems, ids as they come in. */
import type { ProtectedReads } from "../access/index.ts";
import type { StepOutcomes } from "../pipelines/index.ts";
import type { Refusal, Registry } from "../registry/index.ts";
import { parseBlobId, type Store } from "../store/index.ts";
import { unreachable, type BlobId, type Result } from "../std.ts";
import { ProblemError } from "./problem.ts";

export interface RegistryRouteParts {
  readonly store: Store;
  readonly registry: Registry;
  readonly reads: ProtectedReads;
  readonly steps: StepOutcomes;
  /** Told of errors that are our fault, where they are answered in another protocol's form. */
  readonly onError?: (error: Error, requestId: string) => void;
}

export const readsRegistry = { right: "registry:read" } as const;
export const writesRegistry = { right: "registry:write" } as const;

/**
 * The value, or the refusal as a problem.
 * @param at - where it stood in the request, for a refusal that knows only what it was asked for
 */
export function orProblem<T>(result: Result<T, Refusal>, at?: string): T {
  if (result.ok) return result.value;
  const { error } = result;
  switch (error.kind) {
    case "invalid":
      throw new ProblemError(
        "invalid",
        "Nothing was kept or changed.",
        at === undefined ? error.issues : error.issues.map((issue) => ({ ...issue, path: at })),
      );
    case "unknown":
      throw new ProblemError("not-found", sentence(`There is no ${error.what} ${error.name}${error.hint ? `: ${error.hint}` : ""}`));
    case "forbidden":
      throw new ProblemError("forbidden", sentence(error.message));
    case "conflict":
      throw new ProblemError("conflict", sentence(error.message));
    default:
      return unreachable(error);
  }
}

const sentence = (text: string) => (/[.?!]$/.test(text) ? text : `${text}.`);

/** @param path - where the id stood in the request */
export function blobIdAt(path: string, text: string): BlobId {
  const id = parseBlobId(text);
  if (!id) throw new ProblemError("invalid", undefined, [{ path, expected: "sha256: and 64 hex digits", got: text.slice(0, 80) }]);
  return id;
}
