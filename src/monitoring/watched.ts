/** What guardrails watch of an endpoint. */
import type { ArmClass } from "../decisions/index.ts";
import type { EndpointName, ReleaseId } from "../std.ts";
import type { ServedRoute } from "./counting.ts";
import type { DeclaredGroups, GuardrailSpec } from "./guardrail.ts";

/** What of an endpoint is watched: declarations, and the releases that answer now. */
export interface WatchedEndpoint {
  readonly endpoint: EndpointName;
  readonly groups: DeclaredGroups;
  readonly guardrails: readonly GuardrailSpec[];
  /** Chance that a fair release is ever rolled back: one budget for each release's answers to people, one for its shadow answers. */
  readonly budget: number;
  /** Actions that count as selected. */
  readonly favourable: ReadonlySet<string>;
  readonly releases: readonly WatchedRelease[];
  /** Tells who was meant to answer where somebody else did, and who answers beside whom. Without it `fallback_rate` has no data of what serves. */
  readonly route?: ServedRoute;
}
/**
 * A release to watch: whatever answers people (live, canary, standby, fallback alike, so that tests go on when it changes place), and
 * shadows.
 */
export interface WatchedRelease {
  readonly release: ReleaseId;
  readonly armClass: ArmClass;
  /** How often a person has reinstated it: each time it starts with a new budget. */
  readonly epoch: number;
}
