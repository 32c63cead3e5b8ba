/**
 * The containers that models run in: one for all releases that need the very same one, kept while any does, taken over from the run of
 * the server before, and removed when no release needs it.
 */
import { asError, assert, err, ok, type Issue, type ReleaseId, type Result } from "../std.ts";
import type { Clock, Random, Timers } from "../store/index.ts";
import {
  CONFIG,
  INSTANCE,
  MANAGED,
  RELEASE,
  configOf,
  createBody,
  environmentOf,
  imageIssue,
  unknownSecret,
  type ContainerNetwork,
} from "./container-body.ts";
import { NETWORK_PREFIX } from "./container-address.ts";
import { EngineError, type ContainerEngine } from "./container-engine.ts";
import type { ContainerRoute } from "./container-route.ts";
import { repositoryOf, serverInside, type ContainerScorerSpec } from "./container-scorer-spec.ts";
import { registryAuth, type LogLine } from "./container-streams.ts";
import { HttpCaller } from "./http-caller.ts";
import { headersOf, notReady } from "./http-scorer.ts";
import { ModelContainer, engineIssue } from "./model-container.ts";
import { wireFormOf } from "./wire-forms.ts";

export interface ContainersParts {
  readonly engine: ContainerEngine;
  /** Of this data folder, and of no other server at the same engine. */
  readonly instance: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Values for environments and headers, by the names that releases know them by. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Told when a container ends, and of what else an operator should see. */
  readonly onTrouble: (error: Error) => void;
}

/** A container that somebody needs until it is given back. */
export interface HeldContainer {
  readonly route: ContainerRoute;
  readonly isUp: () => boolean;
  /** What it printed last, in words for an error. */
  readonly logEnd: () => Promise<string>;
  giveBack(): Promise<void>;
}

interface Entry {
  readonly container: ModelContainer;
  readonly begun: Promise<Result<void, readonly Issue[]>>;
  holders: number;
  /** Since when nobody holds it. */
  idleSinceMs: number;
}

const PROBE_MS = 1000;
const TICK_MS = 1000;
/** The server's own start isn't held up longer by a container that takes its time; until it is ready, the next in line answers. */
const BOOT_PATIENCE_MS = 3000;
/** One that was begun while the server started and that nobody came back for. */
const IDLE_MS = 60_000;

export class Containers {
  readonly #parts: ContainersParts;
  readonly #entries = new Map<string, Entry>();
  /** By the containers' ids. */
  readonly #removing = new Map<string, Promise<void>>();
  readonly #stopTicking: () => void;
  #network: Promise<ContainerNetwork> | null = null;
  /** The network is made and removed one after the other. */
  #networkTurn: Promise<unknown> = Promise.resolve();
  #isBooting = true;
  #isLeft = false;

  constructor(parts: ContainersParts) {
    this.#parts = parts;
    this.#stopTicking = parts.timers.every(TICK_MS, () => this.#tick());
  }

  /**
   * The container of a scorer, started and ready. Issues have paths below the scorer.
   * @param release - whom it is made for, for people who look at the engine
   */
  async take(spec: ContainerScorerSpec, release: ReleaseId): Promise<Result<HeldContainer, readonly Issue[]>> {
    const environment = environmentOf(spec, this.#parts.secrets);
    const headers = headersOf(serverInside(spec), this.#parts.secrets);
    if (!environment.ok || !headers.ok) return err([...issuesIn(environment), ...issuesIn(headers)]);
    const config = configOf(spec, environment.value, this.#parts.instance);
    let entry = this.#entries.get(config);
    if (!entry) {
      const container = this.#containerOf(spec, { config, release, environment: environment.value, headers: headers.value });
      entry = { container, begun: this.#begin(container, spec, config), holders: 0, idleSinceMs: 0 };
      this.#entries.set(config, entry);
    }
    entry.holders++;
    const begun = await (this.#isBooting ? Promise.race([entry.begun, this.#outOfPatience()]) : entry.begun);
    if (begun.ok) return ok(this.#held(config, entry));
    entry.holders--;
    entry.idleSinceMs = this.#nowMs();
    return begun;
  }

  /** What the container of a scorer printed last; undefined when none is kept. @throws EngineError */
  async logs(spec: ContainerScorerSpec, tail: number, sinceSeconds: number): Promise<readonly LogLine[] | undefined> {
    const environment = environmentOf(spec, this.#parts.secrets);
    const entry = environment.ok ? this.#entries.get(configOf(spec, environment.value, this.#parts.instance)) : undefined;
    return entry?.container.logs(tail, sinceSeconds);
  }

  /** The server has started: what an earlier run left behind and no release needs is removed, and from now on containers are waited for. */
  async booted(): Promise<void> {
    this.#isBooting = false;
    try {
      const { engine, instance } = this.#parts;
      // What is still being taken over has no container that is known yet.
      await Promise.all([...this.#entries.values()].map(({ begun }) => begun));
      const kept = new Set([...this.#entries.values()].map(({ container }) => container.id));
      const all = await engine.withLabels({ [MANAGED]: "true", [INSTANCE]: instance });
      await Promise.all(all.filter((id) => !kept.has(id)).map((id) => engine.remove(id)));
    } catch (error) {
      // An engine that isn't there has nothing to tidy up; whoever needs it is told.
      if (!(error instanceof EngineError)) throw error;
    }
  }

  /** From now on containers are left as they are: the next run of the server takes them over. */
  leave(): void {
    this.#isLeft = true;
    this.#stopTicking();
    for (const { container } of this.#entries.values()) container.leave();
  }

  /** Resolves when all that was being removed is gone. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#removing.values());
  }

  #nowMs(): number {
    return this.#parts.clock.monotonicUs() / 1000;
  }

  async #outOfPatience(): Promise<Result<never, readonly Issue[]>> {
    await this.#parts.timers.sleep(BOOT_PATIENCE_MS);
    const got = "one that is still starting; it is asked again every 10 s";
    return err([{ path: "", expected: "a container that is ready", got }]);
  }

  #containerOf(
    spec: ContainerScorerSpec,
    of: {
      readonly config: string;
      readonly release: ReleaseId;
      readonly environment: readonly string[];
      readonly headers: Readonly<Record<string, string>>;
    },
  ): ModelContainer {
    const { engine, instance, clock, timers, random, onTrouble } = this.#parts;
    const labels = { [MANAGED]: "true", [INSTANCE]: instance, [CONFIG]: of.config, [RELEASE]: of.release };
    const form = wireFormOf(serverInside(spec), []);
    return new ModelContainer({
      engine,
      spec,
      clock,
      timers,
      onTrouble,
      create: async () => {
        const network = await this.#ensuredNetwork();
        const name = `evenkeel-${instance.slice(0, 8)}-${random.bytes(6).toString("hex")}`;
        return engine.create(name, createBody({ spec, environment: of.environment, labels, network }));
      },
      leaveNetwork: () => this.#leaveNetwork(),
      async probe(route) {
        const caller = new HttpCaller({ egress: route, connections: 1, headers: of.headers });
        try {
          return await notReady(caller, form, PROBE_MS);
        } finally {
          await caller.close();
        }
      },
    });
  }

  async #begin(container: ModelContainer, spec: ContainerScorerSpec, config: string): Promise<Result<void, readonly Issue[]>> {
    const begun = await this.#imageIssues(spec)
      .then(async (issues) => (issues.length > 0 ? err(issues) : container.begin(await this.#running(config))))
      .catch((error: unknown) => {
        if (error instanceof EngineError) return err([engineIssue(error)]);
        throw error;
      });
    if (!begun.ok) this.#entries.delete(config);
    return begun;
  }

  /** What is wrong before anything is started. Fetches the image when it isn't here. @throws EngineError */
  async #imageIssues(spec: ContainerScorerSpec): Promise<readonly Issue[]> {
    const { engine, secrets } = this.#parts;
    const { memory, cpus, pids } = await engine.limits();
    const missing = Object.entries({ memory, cpus, pids }).flatMap(([name, can]) => (can ? [] : [name]));
    if (missing.length > 0)
      return [{ path: "", expected: "an engine that limits memory, cpus and pids", got: `one that can't limit ${missing.join(", ")}` }];
    if (spec.protocol === "template" && spec.ready === undefined)
      return [{ path: "/ready", expected: "a path that answers 200 once the server inside is ready", got: "nothing" }];
    const found = await engine.image(spec.image);
    const issue = imageIssue(spec.image, found?.digests ?? []);
    if (issue) return [issue];
    if (found) return [];
    const repository = repositoryOf(spec.image);
    if (repository === undefined) return [{ path: "/image", expected: "an image that this machine's engine has", got: spec.image }];
    const password =
      spec.pull_as && Object.hasOwn(secrets, spec.pull_as.password.secret) ? secrets[spec.pull_as.password.secret] : undefined;
    if (spec.pull_as && password === undefined) return [unknownSecret("/pull_as/password", spec.pull_as.password.secret)];
    const serveraddress = repository.split("/")[0] ?? "";
    const auth = spec.pull_as ? registryAuth({ username: spec.pull_as.username, password: password ?? "", serveraddress }) : null;
    try {
      await engine.pull(repository, spec.image.slice(repository.length + 1), auth);
      return [];
    } catch (error) {
      if (!(error instanceof EngineError) || error.status === 0) throw error;
      return [{ path: "/image", expected: "an image that the engine has or can fetch", got: error.message }];
    }
  }

  /** One of an earlier run that does for the same scorer. */
  async #running(config: string): Promise<string | undefined> {
    const { engine, instance } = this.#parts;
    const all = await engine.withLabels({ [MANAGED]: "true", [INSTANCE]: instance, [CONFIG]: config });
    return all.find((id) => !this.#removing.has(id));
  }

  #ensuredNetwork(): Promise<ContainerNetwork> {
    const { engine, instance } = this.#parts;
    const name = networkOf(instance);
    const making = () => engine.ensureNetwork(name, { [MANAGED]: "true", [INSTANCE]: instance });
    this.#network ??= this.#inNetworkTurn(making).then(
      (): ContainerNetwork => ({ kind: "isolated", name }),
      (error: unknown): ContainerNetwork => {
        if (!(error instanceof EngineError)) throw error;
        this.#tellOpen(error.message);
        return BRIDGE;
      },
    );
    return this.#network;
  }

  #leaveNetwork(): boolean {
    if (this.#network === ON_BRIDGE) return false;
    this.#network = ON_BRIDGE;
    this.#tellOpen("this machine can't reach them there");
    return true;
  }

  #tellOpen(why: string): void {
    this.#parts.onTrouble(new Error(`containers of models can reach the internet: the engine gives them no network of their own (${why})`));
  }

  #held(config: string, entry: Entry): HeldContainer {
    const { container } = entry;
    let isHeld = true;
    return {
      route: container.route,
      isUp: () => container.isUp,
      logEnd: () => container.logEnd(),
      giveBack: async () => {
        if (!isHeld) return;
        isHeld = false;
        entry.holders--;
        assert(entry.holders >= 0, "a container was given back more often than taken");
        if (entry.holders === 0 && !this.#isLeft) await this.#remove(config, entry);
      },
    };
  }

  async #remove(config: string, { container }: Entry): Promise<void> {
    if (this.#entries.get(config)?.container === container) this.#entries.delete(config);
    const id = container.id ?? "";
    const removing = container.remove().then(
      () => this.#tidyNetwork(),
      (error: unknown) => this.#parts.onTrouble(asError(error)),
    );
    this.#removing.set(id, removing);
    await removing;
    this.#removing.delete(id);
  }

  #tidyNetwork(): Promise<void> {
    return this.#inNetworkTurn(async () => {
      if (this.#entries.size > 0 || this.#network === ON_BRIDGE) return;
      this.#network = null;
      await this.#parts.engine.removeNetwork(networkOf(this.#parts.instance));
    });
  }

  #inNetworkTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#networkTurn.then(work);
    this.#networkTurn = turn.catch(() => undefined);
    return turn;
  }

  async #tick(): Promise<void> {
    const { onTrouble } = this.#parts;
    const nowMs = this.#nowMs();
    for (const [config, entry] of this.#entries) {
      const isIdle = entry.holders === 0 && entry.container.isUp && nowMs > entry.idleSinceMs + IDLE_MS;
      const work = isIdle ? this.#remove(config, entry) : entry.container.tick();
      void work.catch((error: unknown) => onTrouble(asError(error)));
    }
  }
}

const BRIDGE: ContainerNetwork = { kind: "bridge" };
const ON_BRIDGE = Promise.resolve(BRIDGE);
const networkOf = (instance: string) => `${NETWORK_PREFIX}${instance.slice(0, 16)}`;
const issuesIn = (result: Result<unknown, readonly Issue[]>) => (result.ok ? [] : result.error);
