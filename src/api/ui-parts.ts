/** What the views of the pages are composed from, and what all of them say alike. */
import { mayDo, type Principal, type ProtectedReads, type Tokens } from "../access/index.ts";
import type { Blame } from "../diagnosis/index.ts";
import type { Alerts, MetricName } from "../monitoring/index.ts";
import type { Redress } from "../redress/index.ts";
import type { Registry } from "../registry/index.ts";
import type { Actor, Drills, GuardrailControl, Incidents, Releases } from "../releases/index.ts";
import type { Gateway } from "../serving/index.ts";
import type { Store } from "../store/index.ts";
import type { ViewerView } from "./ui-view.ts";

export interface UiParts {
  readonly store: Store;
  readonly reads: ProtectedReads;
  readonly gateway: Gateway;
  readonly registry: Registry;
  readonly tokens: Pick<Tokens, "list">;
  readonly releases: Releases;
  readonly control: GuardrailControl;
  readonly incidents: Incidents;
  readonly drills: Pick<Drills, "latest">;
  readonly blame: Blame;
  readonly redress: Redress;
  readonly alerts: Pick<Alerts, "tellings">;
  readonly startedMs: number;
}

/** The zone that times are told in. */
export const ZONE = "UTC";

export const viewerView = (principal: Principal): ViewerView => ({
  name: principal.name,
  role: principal.role,
  seesGroups: mayDo(principal, "protected:read"),
});

/** `approval-parity` of `guardrail:approval-parity`; `ada` of `ada#3f2a91c0b4d7`. The whole stands in the audit log. */
export function actorName({ kind, name }: Actor): string {
  return kind === "system" ? name.replace(/^guardrail:/, "") : name.replace(/#[^#]*$/, "");
}

export const metricLabel = (metric: MetricName): string => (metric === "adverse_impact_ratio" ? "AIR" : metric.replaceAll("_", " "));
export const metricUnit = (metric: MetricName): "ratio" | "rate" => (metric === "adverse_impact_ratio" ? "ratio" : "rate");

/** Evidence as the bettor's wealth; beyond any double it is just very much. */
export const wealth = (logE: number): number => Math.exp(Math.min(logE, 300));
