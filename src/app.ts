/** The one place that knows everything: builds every room once, from top to bottom, and stops them in reverse. */
import { join } from "node:path";
import { Audit, ClockWatch, ProtectedReads, Tokens, type NewToken, type Principal } from "./access/index.ts";
import {
  Connections,
  EventStream,
  abRoutes,
  accessRoutes,
  alertRoutes,
  batchRoutes,
  buildServer,
  decisionLineageRoutes,
  decisionRoutes,
  endpointMetricsRoutes,
  endpointRoutes,
  guardrailRoutes,
  eventRoutes,
  expectationRoutes,
  handOverRoutes,
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
  Reports,
  reportRoutes,
  registryRoutes,
  rolloutRoutes,
  sessionRoutes,
  sinkRoutes,
  uiRoutes,
  webRoutes,
  type ProtocolParts,
  type RequestTracer,
} from "./api/index.ts";
import { DecisionLog, Sinks, type Ack } from "./decisions/index.ts";
import { Blame, Reasons } from "./diagnosis/index.ts";
import { Alerts, ExpectationWatch, GuardrailEvaluator, RequestTally } from "./monitoring/index.ts";
import { StepOutcomes } from "./pipelines/index.ts";
import { LET_GO_WITHIN_MS, assertFree, handOverTo, takeOver } from "./hand-over.ts";
import { egressOf, containersOf } from "./outside.ts";
import { FollowUp, Redress } from "./redress/index.ts";
import { openRegistry } from "./registry/index.ts";
import {
  AbControl,
  AlertConditions,
  DecisionLineage,
  Drills,
  FailureControl,
  GuardrailControl,
  Looks,
  Incidents,
  InputProfiles,
  MemoryBudget,
  OpenLineage,
  Releases,
  Rollbacks,
  RolloutControl,
  ScoreReferences,
  guardrailsTelling,
  type OpenLineageTarget,
} from "./releases/index.ts";
import { Attributor, Gateway, MemoryPressure } from "./serving/index.ts";
import { repeatedly } from "./repeatedly.ts";
import { asError, type ReleaseId } from "./std.ts";
import { openStore, systemRuntime, type Runtime, type Store, type StoreOptions } from "./store/index.ts";
import { forgetSuccessors, listenPrivately } from "./take-over.ts";

export interface AppOptions {
  /** The data folder; made when missing. */
  readonly folder: string;
  /** Keep the database in PostgreSQL instead of in the folder. */
  readonly postgresUrl?: string;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** 0 takes a free one. Default 7070. */
  readonly port?: number;
  readonly allowedHosts?: readonly string[];
  /** Clock, ids, randomness and timers; the system's own by default. */
  readonly runtime?: Runtime;
  /** When a decision is answered: once it is on disk (default), once it is queued, or (benchmarks only) without being recorded. */
  readonly ack?: Ack;
  /** `host:port` that model servers may be called at though it is private or loopback; public addresses may always. */
  readonly egress?: { readonly allow: readonly string[] };
  /** Values for headers of calls to model servers, by the names that releases know them by. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Path of the socket of Docker or Podman, for models in containers; without it releases with such models are refused. */
  readonly containerEngine?: string;
  /** Models in processes of their own (default), or in this one: deterministic and blocking, for simulations. */
  readonly scorers?: "process" | "inline";
  /** What the scorer processes of all releases may take together; without end by default. */
  readonly memoryBudgetBytes?: number;
  /** Who is told of everything that happens, as events of OpenLineage; nobody by default. */
  readonly openLineage?: OpenLineageTarget;
  /** Where people reach the server, for links in alerts: `https://evenkeel.internal`. Without it alerts have no links. */
  readonly publicUrl?: string;
  /** Between two looks of the guardrails. Default 500. */
  readonly lookEveryMs?: number;
  /** Take the place of the server that runs on this folder, if one does; it goes on undisturbed when this one can't. */
  readonly takeOver?: boolean;
  /** Where requests for decisions are traced; nowhere by default. Whoever made it closes it. */
  readonly tracer?: RequestTracer;
  /** Told of errors that are our fault, and of what an operator should see. */
  readonly onError?: (error: Error, reference: string) => void;
  /** How many lines about such errors reached nobody: a metric. */
  readonly dropped?: () => number;
  /** Told once when the process can't promise anything any more and must end. */
  readonly onFatal?: (why: string) => void;
}

export interface App {
  /** Where it listens, once started. */
  readonly url: string;
  /** On the first start of a folder: the token that all others are made with. */
  readonly firstAdmin: NewToken | undefined;
  /** Resolves when nothing is under way: every answer, shadow and look that has begun is done. */
  settled(): Promise<void>;
  /**
   * Resolves when another server has been asked to take this one's place: `successor` when it answers and nobody is connected here any
   * more, `nobody` when it died on the way. The store is closed in both cases; all that is left is `stop`.
   */
  readonly replaced: Promise<"successor" | "nobody">;
  /** Finishes what is under way, then closes everything. May be called twice. */
  stop(): Promise<void>;
}

/** Starts the whole product. Two may run in one process, on folders of their own. */
export async function startApp(options: AppOptions): Promise<App> {
  const runtime = options.runtime ?? systemRuntime();
  const onError = options.onError ?? (() => undefined);
  const undo: (() => Promise<void> | void)[] = [];
  let isStopping = false;
  const stop = async () => {
    isStopping = true;
    for (const close of undo.splice(0).toReversed()) await close();
  };
  const repeat = (everyMs: number, name: string, work: () => Promise<void>) => {
    const repeated = repeatedly(runtime, everyMs, work, (error) => onError(error, name));
    undo.push(() => repeated.stop());
    return repeated;
  };
  try {
    const port = options.port ?? 7070;
    // Ended late, though begun last: whoever is answered while everything stops must not look stale.
    let endBeats: () => void = () => undefined;
    undo.push(() => endBeats());
    const ownPorts = new Set([port]);
    const secrets = options.secrets ?? {};
    const http = { egress: egressOf(options.egress?.allow ?? [], ownPorts), random: runtime.random, secrets };
    const loading = { clock: runtime.clock, inline: options.scorers === "inline", http };
    const storeOptions: StoreOptions = {
      folder: options.folder,
      ...(options.postgresUrl ? { postgresUrl: options.postgresUrl } : {}),
      onFatal: options.onFatal ?? (() => undefined),
      onTrouble: (error) => onError(error, "database"),
    };
    const taking = options.takeOver ? await takeOver(storeOptions, runtime, { loading, port, undo }) : undefined;
    const store: Store = await openStore({ ...storeOptions, waitMs: taking ? LET_GO_WITHIN_MS : 0 }, runtime);
    undo.push(() => store.close());
    if (store.kind === "sqlite") forgetSuccessors(options.folder, taking?.successor.name);
    const audit = new Audit(store);
    const reads = new ProtectedReads(store, audit);
    const tokens = new Tokens(store, audit);
    const firstAdmin = await tokens.ensureFirstAdmin();

    const clockWatch = new ClockWatch(store, audit);
    repeat(CLOCK_EVERY_MS, "clock", () => clockWatch.tick());

    const registry = openRegistry(store, audit);
    await registry.datasets.recover();
    let looks: Looks | undefined;
    const log = await DecisionLog.open(store, {
      ...(options.ack ? { ack: options.ack } : {}),
      onTrouble: (error) => onError(error, "decisions"),
      onRecorded: (endpoint) => looks?.note(endpoint),
    });
    undo.push(() => log.close());
    let failures: FailureControl | undefined;
    let profiles: InputProfiles | undefined;
    const pressure = new MemoryPressure(runtime.clock);
    const isShortOfMemory = () => pressure.isHigh();
    const gateway = new Gateway({
      log,
      runtime,
      isShortOfMemory,
      subjectKey: await subjectKey(store),
      inputBins: (release, inputs) => profiles?.bins(release, inputs),
      onTrouble(trouble) {
        onError(new Error(trouble.message), `${trouble.endpoint}: ${trouble.trouble}`);
        failures?.note(trouble);
      },
    });
    const { containerEngine: engine, folder } = options;
    const containers =
      engine === undefined
        ? undefined
        : containersOf({ engine, folder, secrets, onTrouble: (error) => onError(error, "containers") }, runtime);
    const load = { ...loading, blobs: store.blobs, ...(containers ? { containers } : {}) };
    const releases = await Releases.open({
      store,
      audit,
      registry,
      gateway,
      load,
      ...(taking ? { ahead: taking.ahead } : {}),
      memory: new MemoryBudget(options.memoryBudgetBytes ?? Number.POSITIVE_INFINITY),
      onTrouble: (error) => onError(error, "releases"),
    });
    undo.push(() => releases.close());
    // Containers go on running when the server stops: the next start finds their models warm.
    undo.push(() => containers?.leave());
    void containers?.booted().catch((error: unknown) => onError(asError(error), "containers"));
    const expectations = new ExpectationWatch({
      store,
      gateway,
      endpoints: () => releases.rooms().map(({ name, definition }) => ({ name, expectations: definition.compiled.expectations })),
    });
    undo.push(() => expectations.close().catch((error: unknown) => onError(asError(error), "expectations")));
    repeat(EXPECTATIONS_EVERY_MS, "expectations", () => expectations.tick());
    const sinks = await Sinks.open({
      store,
      audit,
      egress: http.egress,
      secrets: http.secrets,
      endpoints: () => releases.rooms().map(({ name }) => name),
      onTrouble: (error) => onError(error, "sinks"),
    });
    undo.push(() => sinks.stop());
    repeat(DELIVER_EVERY_MS, "sinks", () => sinks.tick());
    const openLineage = new OpenLineage({
      store,
      audit,
      registry,
      egress: http.egress,
      target: options.openLineage ?? null,
      onTrouble: (error) => onError(error, "openlineage"),
    });
    undo.push(() => openLineage.stop());
    repeat(DELIVER_EVERY_MS, "openlineage", () => openLineage.tick());
    const profiled = new InputProfiles({
      store,
      registry,
      rooms: () => releases.rooms(),
      onTrouble: (error) => onError(error, "input profiles"),
    });
    profiles = profiled;
    const profiling = repeat(PROFILES_EVERY_MS, "input profiles", () => profiled.tick());
    const references = new ScoreReferences({
      store,
      registry,
      rooms: () => releases.rooms(),
      onTrouble: (error) => onError(error, "score references"),
    });
    const referring = repeat(PROFILES_EVERY_MS, "score references", () => references.tick());
    const incidents = new Incidents(store, audit);
    const blame = new Blame({ store, releases, incidents, load });
    const attributor = new Attributor();
    undo.push(() => attributor.close());
    const reasons = new Reasons({ store, releases, attributor });
    undo.push(() => reasons.settled());
    const redress = new Redress({ store, releases, incidents });
    const rollbacks = new Rollbacks({ store, releases, incidents });
    const evaluator = new GuardrailEvaluator(store, { storeEveryMs: EVIDENCE_EVERY_MS });
    undo.push(() => evaluator.flush().catch((error: unknown) => onError(asError(error), "guardrails")));
    const control = new GuardrailControl({ store, releases, incidents, evaluator, rollbacks });
    failures = new FailureControl({ releases, rollbacks });
    const failing = failures;
    const rollouts = new RolloutControl({ store, releases, control });
    const ab = new AbControl({ store, releases });
    const drills = new Drills({ store, audit, releases, gateway, incidents, onTrouble: (error) => onError(error, "drills") });
    const followUp = new FollowUp({ store, incidents, redress, blame, onTrouble: (error) => onError(error, "incidents") });
    const conditions = new AlertConditions({
      clock: runtime.clock,
      releases,
      incidents,
      control,
      drills,
      sinks,
      expectations,
      recorded: () => log.recorded(),
    });
    const alerts = new Alerts({
      store,
      audit,
      egress: http.egress,
      secrets: http.secrets,
      publicUrl: options.publicUrl?.replace(/\/+$/, "") ?? null,
      look: () => conditions.look(),
      endpoints: () => releases.rooms().map(({ name }) => name),
      guardrailsTelling: (channel) => releases.rooms().flatMap((room) => guardrailsTelling(room, channel)),
      onTrouble: (error) => onError(error, "alerts"),
    });
    undo.push(() => alerts.stop());
    const lookEveryMs = options.lookEveryMs ?? 500;
    const between = new Looks({
      runtime,
      lookAt: (endpoint) => control.lookBetween(endpoint),
      onError: (error) => onError(error, "guardrails"),
    });
    looks = between;
    undo.push(() => between.stop());
    const tick = async () => {
      await failing.tick();
      await control.tick();
      await rollouts.tick();
      await ab.tick();
    };
    const looking = repeat(lookEveryMs, "guardrails", () => between.inTurn(tick));
    const requests = new RequestTally(store);
    const countRequests = () => requests.write(releases.rooms().map(({ name }) => ({ endpoint: name, ...gateway.counts(name) })));
    const counting = repeat(COUNT_REQUESTS_EVERY_MS, "requests", countRequests);
    undo.push(() => countRequests().catch((error: unknown) => onError(asError(error), "requests")));
    // Apart from the looks: whoever is to be told never delays what is done.
    const telling = repeat(2 * lookEveryMs, "alerts", () => alerts.tick());
    // Apart from the looks: a drill on live traffic takes two seconds.
    repeat(lookEveryMs, "drills", () => drills.tick());
    // Apart from the looks: while one incident is looked into, every endpoint goes on being watched.
    const following = repeat(lookEveryMs, "incidents", () => followUp.tick());

    const reports = new Reports({
      store,
      audit,
      registry,
      releases,
      control,
      incidents,
      expectations,
      redress,
      drills,
      onTrouble: (error) => onError(error, "reports"),
    });
    repeat(REPORTS_EVERY_MS, "reports", () => reports.tick());

    const ui = {
      store,
      reads,
      gateway,
      registry,
      tokens,
      releases,
      control,
      incidents,
      drills,
      blame,
      redress,
      alerts,
      startedMs: runtime.clock.nowMs(),
    };
    const events = new EventStream({
      runtime,
      compose: (principal) => homeView(ui, principal),
      onTrouble: (error) => onError(error, "pages"),
    });
    const numberOf = (endpoint: string, id: ReleaseId) => {
      const room = releases.room(endpoint);
      return room.ok ? room.value.releases.get(id)?.number : undefined;
    };
    const isReady = () => !isStopping && releases.rooms().every((room) => room.isReady);
    const protocols: ProtocolParts = {
      gateway,
      clock: runtime.clock,
      version: VERSION,
      isReady,
      onError,
      endpoints: () => releases.rooms().map(({ name }) => name),
      isCondemned(endpoint, release) {
        const room = releases.room(endpoint);
        return room.ok && room.value.table.condemned.has(release);
      },
      outputsOf(endpoint) {
        const room = releases.room(endpoint);
        const { oip, mlflow } = room.ok ? room.value.definition.spec : {};
        return { ...(oip ? { oip: oip.outputs } : {}), ...(mlflow ? { predictions: mlflow.predictions } : {}) };
      },
    };
    const routes = [
      healthRoutes(isReady),
      sessionRoutes(tokens),
      accessRoutes(tokens, audit),
      batchRoutes({ gateway, clock: runtime.clock, isCondemned: protocols.isCondemned }),
      decisionRoutes({
        gateway,
        store,
        audit,
        reads,
        isCondemned: protocols.isCondemned,
        reasons,
        onError,
        outcomesOf(endpoint) {
          const room = releases.room(endpoint);
          return room.ok ? room.value.definition.outcomes : undefined;
        },
        releaseName: (endpoint, id) => `r${numberOf(endpoint, id) ?? "?"}`,
        releaseId(endpoint, name) {
          const room = releases.room(endpoint);
          const info = room.ok ? releases.find(room.value, name) : undefined;
          return info?.ok ? info.value.id : undefined;
        },
      }),
      reasonRoutes({ reasons, reads }),
      oipRoutes(protocols),
      mlflowScoringRoutes(protocols),
      kserveRoutes(protocols),
      endpointRoutes({ releases, sinks, alerts, control, incidents, rollbacks, expectations }),
      expectationRoutes({ releases, expectations, clock: runtime.clock }),
      endpointMetricsRoutes({ store, registry, releases }),
      reportRoutes({ releases, reports, store }),
      logRoutes(releases, containers),
      sinkRoutes(sinks),
      alertRoutes({ alerts, clock: runtime.clock }),
      metricsRoutes({
        ...ui,
        expectations,
        version: VERSION,
        log,
        sinks,
        clockWatch,
        dropped: options.dropped ?? (() => 0),
      }),
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
    const common = {
      tokens,
      ids: runtime.ids,
      timers: runtime.timers,
      isShortOfMemory,
      onError,
      ...(options.allowedHosts ? { allowedHosts: options.allowedHosts } : {}),
      ...(options.tracer ? { tracer: options.tracer } : {}),
    };
    const connections = new Connections();
    const server = await buildServer({ ...common, connections }, routes);
    const closeServer = () => server.close();
    undo.push(closeServer);
    let isReplacedBy: (by: "successor" | "nobody") => void = () => undefined;
    const replaced = new Promise<"successor" | "nobody">((resolve) => {
      isReplacedBy = resolve;
    });
    let isReplaced = false;
    const handOver = {
      get port() {
        return Number(new URL(url).port);
      },
      begin(socket: string) {
        if (isStopping || isReplaced) return false;
        isReplaced = true;
        const letGo = async () => {
          events.close();
          undo.splice(undo.indexOf(closeServer), 1);
          for (const close of undo.splice(0).toReversed()) await close();
          undo.push(closeServer);
        };
        handOverTo(join(options.folder, socket), connections, letGo).then(isReplacedBy, (error: unknown) => {
          onError(asError(error), "hand-over");
          isReplacedBy("nobody");
        });
        return true;
      },
    };
    const host = options.host ?? "127.0.0.1";
    const shared = { host, port, reusePort: process.platform === "linux" };
    if (!taking && shared.reusePort) await assertFree(host, port);
    const url = await server.listen(shared);
    ownPorts.add(Number(new URL(url).port));
    // Those who were asked for by a predecessor's clients wait already; control can wait a moment longer.
    taking?.successor.deliverTo(server.server);
    const local = await buildServer({ ...common, localPrincipal: LOCAL }, [...routes, handOverRoutes(() => handOver)]);
    undo.push(() => local.close());
    // Before the servers: a stream never ends by itself, and they would wait for it.
    undo.push(() => events.close());
    await listenPrivately(join(options.folder, "control.sock"), (path, done) =>
      local.listen({ path }, (error) => done(error ?? undefined)),
    );
    await taking?.ahead.close();
    // Only now: while it starts it stands still at times, and nobody waits yet.
    endBeats = runtime.timers.every(BEAT_MS, () => gateway.beat());
    const settled = async () => {
      await gateway.idle();
      await looking.settled();
      await between.settled();
      await following.settled();
      await reasons.settled();
      await sinks.settled();
      await openLineage.settled();
      await telling.settled();
      await alerts.settled();
      await profiling.settled();
      await referring.settled();
      await counting.settled();
      await countRequests();
      await log.flush();
    };
    return { url, firstAdmin, settled, stop, replaced };
  } catch (error) {
    await stop();
    throw error;
  }
}

const CLOCK_EVERY_MS = 1000;
const COUNT_REQUESTS_EVERY_MS = 2000;
/** Evidence that proves nothing yet is stored this often; what a crash loses of it is formed anew from the counts. */
const EVIDENCE_EVERY_MS = 5000;
/** Between two looks for releases whose inputs aren't counted yet. */
const PROFILES_EVERY_MS = 1000;
/** A scheduled report is made so soon after its period is over. */
const REPORTS_EVERY_MS = 60_000;
/** Counts of inputs that aren't as expected: so much of them is lost when the process is killed. */
const EXPECTATIONS_EVERY_MS = 5000;
/** Often enough to see a standstill, seldom enough to cost nothing. */
const BEAT_MS = 250;
/** Between two looks for what is to be delivered: a batch is what was recorded meanwhile. */
const DELIVER_EVERY_MS = 500;
/** As in `package.json`. */
export const VERSION = "0.1.0";

/** The secret that subjects are hashed with: made once, kept in the database, the same for all gateways. */
async function subjectKey(store: Store): Promise<Buffer> {
  const fresh = store.runtime.random.bytes(32).toString("hex");
  await store.db
    .insertInto("setting")
    .values({ key: "subject-key", value: fresh })
    .onConflict((conflict) => conflict.column("key").doNothing())
    .execute();
  const { value } = await store.db.selectFrom("setting").select("value").where("key", "=", "subject-key").executeTakeFirstOrThrow();
  return Buffer.from(value, "hex");
}

/** Whoever may open a socket in the data folder owns the machine's files anyway; the audit log says that it was somebody there. */
const LOCAL: Principal = {
  tokenId: "local",
  name: "local",
  role: "admin",
  endpoints: null,
  grants: ["decisions:read", "protected:read", "review"],
};
