/** Every route, with the parts that it is about. */
import {
  EventStream,
  abRoutes,
  accessRoutes,
  alertRoutes,
  batchRoutes,
  decisionLineageRoutes,
  decisionRoutes,
  endpointMetricsRoutes,
  endpointRoutes,
  eventRoutes,
  expectationRoutes,
  guardrailRoutes,
  healthRoutes,
  homeView,
  incidentRoutes,
  kserveRoutes,
  lineageRoutes,
  logRoutes,
  metricsRoutes,
  mlflowScoringRoutes,
  modelCardRoutes,
  oipRoutes,
  openLineageRoutes,
  reasonRoutes,
  registryRoutes,
  reportRoutes,
  rolloutRoutes,
  sessionRoutes,
  sinkRoutes,
  uiRoutes,
  webRoutes,
  type ProtocolParts,
} from "../api/index.ts";
import { StepOutcomes } from "../pipelines/index.ts";
import { DecisionLineage } from "../releases/index.ts";
import type { Background } from "./background.ts";
import type { Foundations, Start } from "./foundations.ts";

/** As in `package.json`. */
export const VERSION = "0.1.0";

export function routesOf({ options, runtime, lifetime, onError }: Start, foundations: Foundations, background: Background) {
  const { store, audit, reads, tokens, registry, log, gateway, releases, containers, clockWatch } = foundations;
  const { expectations, sinks, openLineage, incidents, blame, reasons, redress, rollbacks, control } = background;
  const { rollouts, ab, drills, alerts, reports } = background;
  const { clock } = runtime;
  const startedMs = clock.nowMs();
  const ui = { store, reads, gateway, registry, tokens, releases, control, incidents, drills, blame, redress, alerts, startedMs };
  const onTrouble = (error: Error) => onError(error, "pages");
  const events = new EventStream({ runtime, compose: (principal) => homeView(ui, principal), onTrouble });
  const isReady = () => !lifetime.isEnding && releases.rooms().every((room) => room.isReady);
  const roomOf = (endpoint: string) => {
    const room = releases.room(endpoint);
    return room.ok ? room.value : undefined;
  };
  const protocols: ProtocolParts = {
    gateway,
    clock,
    version: VERSION,
    isReady,
    onError,
    endpoints: () => releases.rooms().map(({ name }) => name),
    isCondemned: (endpoint, release) => roomOf(endpoint)?.table.condemned.has(release) ?? false,
    outputsOf(endpoint) {
      const { oip, mlflow } = roomOf(endpoint)?.definition.spec ?? {};
      return { ...(oip ? { oip: oip.outputs } : {}), ...(mlflow ? { predictions: mlflow.predictions } : {}) };
    },
  };
  const { isCondemned } = protocols;
  const decisions = decisionRoutes({
    gateway,
    store,
    audit,
    reads,
    isCondemned,
    reasons,
    onError,
    outcomesOf: (endpoint) => roomOf(endpoint)?.definition.outcomes,
    releaseName: (endpoint, id) => `r${roomOf(endpoint)?.releases.get(id)?.number ?? "?"}`,
    releaseId(endpoint, name) {
      const room = roomOf(endpoint);
      const info = room ? releases.find(room, name) : undefined;
      return info?.ok ? info.value.id : undefined;
    },
  });
  const routes = [
    healthRoutes(isReady),
    sessionRoutes(tokens),
    accessRoutes(tokens, audit),
    batchRoutes({ gateway, clock, isCondemned }),
    decisions,
    reasonRoutes({ reasons, reads }),
    oipRoutes(protocols),
    mlflowScoringRoutes(protocols),
    kserveRoutes(protocols),
    endpointRoutes({ releases, sinks, alerts, control, incidents, rollbacks, expectations }),
    expectationRoutes({ releases, expectations, clock }),
    endpointMetricsRoutes({ store, registry, releases }),
    reportRoutes({ releases, reports, store }),
    logRoutes(releases, containers),
    sinkRoutes(sinks),
    alertRoutes({ alerts, clock }),
    metricsRoutes({ ...ui, expectations, version: VERSION, log, sinks, clockWatch, dropped: options.dropped ?? (() => 0) }),
    rolloutRoutes({ store, releases, rollouts, drills }),
    abRoutes({ releases, ab }),
    guardrailRoutes({ store, releases, control }),
    incidentRoutes({ incidents, releases, blame, redress, reads }),
    registryRoutes({ store, registry, reads, steps: new StepOutcomes(store), onError }),
    lineageRoutes({ registry, releases }),
    modelCardRoutes({ store, registry, releases, reads }),
    openLineageRoutes(openLineage),
    decisionLineageRoutes({ registry, releases, lineage: new DecisionLineage({ store, registry }) }),
    uiRoutes(ui),
    eventRoutes(events),
    webRoutes(),
  ];
  return { routes, events };
}
