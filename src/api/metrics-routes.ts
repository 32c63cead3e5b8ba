/** `GET /metrics`: what Prometheus scrapes. Names of declared things only, nothing about people; groups by letters, unless the token may see them. */
import { Type } from "typebox";
import { mayDo, reaches, type Principal } from "../access/index.ts";
import type { DecisionLog, Sinks } from "../decisions/index.ts";
import { EXPOSITION_CONTENT_TYPE, exposition, type Alerts } from "../monitoring/index.ts";
import type { Registry } from "../registry/index.ts";
import { TransitionCounts, type Drills, type GuardrailControl, type Incidents, type Releases } from "../releases/index.ts";
import type { Gateway } from "../serving/index.ts";
import type { Store } from "../store/index.ts";
import { controlled } from "./metrics/control.ts";
import { DriftGauges } from "./metrics/drift.ts";
import { familiesOf, type Collected } from "./metrics/families.ts";
import { GuardrailGauges } from "./metrics/guardrails.ts";
import { expected, type InputParts } from "./metrics/inputs.ts";
import { nothingOfProcess, ofProcess, type ProcessParts } from "./metrics/process.ts";
import { scoring } from "./metrics/scorers.ts";
import { served } from "./metrics/served.ts";
import { delivered } from "./metrics/sinks.ts";
import { told } from "./metrics/told.ts";
import { namesIn } from "./route-views.ts";
import { principalOf, type Server } from "./server.ts";
import { isVisible } from "./sink-routes.ts";

export interface MetricsParts extends InputParts, Omit<ProcessParts, "clock" | "log" | "gateway" | "releases"> {
  readonly version: string;
  readonly store: Pick<Store, "db" | "runtime">;
  readonly log: DecisionLog;
  readonly gateway: Gateway;
  readonly registry: Pick<Registry, "datasets">;
  readonly releases: Releases;
  readonly control: GuardrailControl;
  readonly incidents: Incidents;
  readonly drills: Pick<Drills, "latest">;
  readonly sinks: Sinks;
  readonly alerts: Pick<Alerts, "channels">;
}

export const metricsRoutes = (parts: MetricsParts) => (app: Server) => {
  const collect = collector(parts);
  /** By token: one that scrapes faster than it is answered gets the same answer. */
  const underWay = new Map<string, Promise<string>>();
  app.get(
    "/metrics",
    {
      config: { right: "read" },
      schema: {
        summary: "Counts and states for Prometheus",
        description:
          "Text format 0.0.4. Counters are those of this process, unless they say otherwise; a token that is limited to some endpoints gets theirs, and one with protected:read the names of groups.",
        tags: ["metrics"],
        response: { 200: Type.String() },
      },
    },
    async (request, reply) => {
      const principal = principalOf(request);
      const { tokenId } = principal;
      const scrape = underWay.get(tokenId) ?? collect(principal).finally(() => underWay.delete(tokenId));
      underWay.set(tokenId, scrape);
      return reply.type(EXPOSITION_CONTENT_TYPE).send(await scrape);
    },
  );
};

/** Makes the text of a scrape. What takes long in it gives way to decisions; what asks the database asks for few rows. */
function collector(parts: MetricsParts): (principal: Principal) => Promise<string> {
  const { version, store, releases, control, sinks } = parts;
  const transitions = new TransitionCounts(store.db);
  const guardrails = new GuardrailGauges(control);
  const drift = new DriftGauges(parts);
  const { clock } = store.runtime;
  return async (principal) => {
    const rooms = releases.rooms().filter(({ name }) => reaches(principal, name));
    const collected: Collected = {
      evenkeel_build_info: [{ labels: { version, node: process.versions.node }, value: 1 }],
      ...served(parts, rooms),
      ...(await controlled({ ...parts, transitions }, rooms)),
      ...(await guardrails.collect(rooms, (room) => namesIn(room, principal))),
      ...(await expected(parts, rooms)),
      ...(await drift.collect(rooms, mayDo(principal, "protected:read"))),
      ...scoring(parts, rooms),
      ...(principal.endpoints === null ? await ofProcess({ ...parts, clock }) : nothingOfProcess),
      ...(principal.endpoints === null ? await told(parts) : { evenkeel_alert_notices: [] }),
      ...delivered((await sinks.list()).filter((sink) => isVisible(principal, sink))),
      evenkeel_metrics_hidden_series: [],
    };
    return exposition(familiesOf(collected));
  };
}
