/** What every room needs: brands, results, exhaustiveness, and where a module's neighbours are. */

declare const brand: unique symbol;

/** A nominal type over `T`: ids of different things can't be mixed up. Made only where data enters. */
export type Brand<T, B extends string> = T & { readonly [brand]: B };

/** `sha256:` and 64 hex digits: the content id of raw bytes. */
export type BlobId = Brand<string, "BlobId">;
export type EndpointName = Brand<string, "EndpointName">;
/** Content id of a release bundle, `rel:` and 64 hex digits. People see its number within the endpoint, `r12`. */
export type ReleaseId = Brand<string, "ReleaseId">;
/** Content id of a feature set, `fs:` and 64 hex digits. */
export type FeatureSetId = Brand<string, "FeatureSetId">;
/** Time-sorted id of one decision. */
export type DecisionId = Brand<string, "DecisionId">;
/** Makes a retried command harmless: the same id twice changes nothing. */
export type CommandId = Brand<string, "CommandId">;
/** One combination of values of an endpoint's declared attributes: `education=graduate,sex=female`, attributes sorted by name. */
export type CellKey = Brand<string, "CellKey">;

/** An answer that the caller decides on. What the world breaks is thrown instead. */
export type Result<T, E> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E };
export const ok = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value });
export const err = <E>(error: E): { readonly ok: false; readonly error: E } => ({ ok: false, error });

/** The end of every switch over a union: fails closed when a case was forgotten. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

/** For what must hold if the program is right; its failure ends the request, never the process. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}

/** What was caught, as an error: anything can be thrown. */
export const asError = (caught: unknown): Error => (caught instanceof Error ? caught : new Error(String(caught)));

/**
 * One thing that is wrong with what somebody sent or wrote, for a person to act on.
 * `path` is a JSON pointer into the body or document (`/inputs/age`); `line` and `column` are 1-based, for YAML and CEL.
 */
export interface Issue {
  readonly path: string;
  readonly expected: string;
  readonly got?: string;
  readonly hint?: string;
  readonly line?: number;
  readonly column?: number;
}

/** Address of a module beside this one that runs as a worker or child process: `.ts` from sources, `.js` when built. */
export function siblingModule(importMetaUrl: string, name: string): URL {
  return new URL(`${name}${importMetaUrl.endsWith(".ts") ? ".ts" : ".js"}`, importMetaUrl);
}
