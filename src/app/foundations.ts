/** The rooms that everything else stands on: what is stored, who may, what there is, what answers. */
import { Audit, ClockWatch, ProtectedReads, Tokens, type Egress, type NewToken } from "../access/index.ts";
import { DecisionLog } from "../decisions/index.ts";
import { MemoryBudget, Releases, type FailureControl, type InputProfiles, type LoadedAhead, type Looks } from "../releases/index.ts";
import { Gateway, MemoryPressure, type Containers, type LoadDependencies } from "../serving/index.ts";
import { openRegistry, type Registry } from "../registry/index.ts";
import { asError } from "../std.ts";
import { openStore, type Runtime, type Store, type StoreOptions } from "../store/index.ts";
import { LET_GO_WITHIN_MS, takeOver } from "./hand-over.ts";
import type { Lifetime } from "./lifetime.ts";
import type { AppOptions } from "./options.ts";
import { containersOf, egressOf } from "./outside.ts";
import { forgetSuccessors, type Successor } from "./take-over.ts";

/** What every part of a start is given. */
export interface Start {
  readonly options: AppOptions;
  readonly runtime: Runtime;
  readonly lifetime: Lifetime;
  readonly onError: (error: Error, reference: string) => void;
  /** That the server listens at itself, and that nobody outside may have it call. */
  readonly ownPorts: Set<number>;
  readonly port: number;
}

/** Those that are made later, of what is here, and that what is here tells. */
export interface Told {
  failures?: FailureControl;
  profiles?: InputProfiles;
  looks?: Looks;
}

export interface Foundations {
  readonly store: Store;
  readonly audit: Audit;
  readonly reads: ProtectedReads;
  readonly tokens: Tokens;
  readonly firstAdmin: NewToken | undefined;
  readonly clockWatch: ClockWatch;
  readonly registry: Registry;
  readonly log: DecisionLog;
  readonly gateway: Gateway;
  readonly containers: Containers | undefined;
  readonly releases: Releases;
  readonly load: LoadDependencies;
  readonly egress: Egress;
  readonly secrets: Readonly<Record<string, string>>;
  readonly isShortOfMemory: () => boolean;
  /** Of a server whose place this one takes. */
  readonly taking: { readonly ahead: LoadedAhead; readonly successor: Successor } | undefined;
  readonly told: Told;
}

const CLOCK_EVERY_MS = 1000;

export async function openFoundations({ options, runtime, lifetime, onError, ownPorts, port }: Start): Promise<Foundations> {
  const { folder } = options;
  const secrets = options.secrets ?? {};
  const egress = egressOf(options.egress?.allow ?? [], ownPorts);
  const loading = { clock: runtime.clock, inline: options.scorers === "inline", http: { egress, random: runtime.random, secrets } };
  const storeOptions: StoreOptions = {
    folder,
    ...(options.postgresUrl ? { postgresUrl: options.postgresUrl } : {}),
    onFatal: options.onFatal ?? (() => undefined),
    onTrouble: (error) => onError(error, "database"),
  };
  const taking = options.takeOver ? await takeOver(storeOptions, runtime, { loading, port, lifetime }) : undefined;
  const store: Store = await openStore({ ...storeOptions, waitMs: taking ? LET_GO_WITHIN_MS : 0 }, runtime);
  lifetime.onEnd(() => store.close());
  if (store.kind === "sqlite") forgetSuccessors(folder, taking?.successor.name);
  const audit = new Audit(store);
  const tokens = new Tokens(store, audit);
  const firstAdmin = await tokens.ensureFirstAdmin();
  const clockWatch = new ClockWatch(store, audit);
  lifetime.repeat(CLOCK_EVERY_MS, "clock", () => clockWatch.tick());

  const registry = openRegistry(store, audit);
  await registry.datasets.recover();
  const told: Told = {};
  const log = await DecisionLog.open(store, {
    ...(options.ack ? { ack: options.ack } : {}),
    onTrouble: (error) => onError(error, "decisions"),
    onRecorded: (endpoint) => told.looks?.note(endpoint),
  });
  lifetime.onEnd(() => log.close());
  const pressure = new MemoryPressure(runtime.clock);
  const isShortOfMemory = () => pressure.isHigh();
  const gateway = new Gateway({
    log,
    runtime,
    isShortOfMemory,
    subjectKey: await subjectKey(store),
    inputBins: (release, inputs) => told.profiles?.bins(release, inputs),
    onTrouble(trouble) {
      onError(new Error(trouble.message), `${trouble.endpoint}: ${trouble.trouble}`);
      told.failures?.note(trouble);
    },
  });
  const engine = options.containerEngine;
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
  lifetime.onEnd(() => releases.close());
  // Containers go on running when the server stops: the next start finds their models warm.
  lifetime.onEnd(() => containers?.leave());
  void containers?.booted().catch((error: unknown) => onError(asError(error), "containers"));
  const reads = new ProtectedReads(store, audit);
  return {
    store,
    audit,
    reads,
    tokens,
    firstAdmin,
    clockWatch,
    registry,
    log,
    gateway,
    containers,
    releases,
    load,
    egress,
    secrets,
    isShortOfMemory,
    taking,
    told,
  };
}

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
