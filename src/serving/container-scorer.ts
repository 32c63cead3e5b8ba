/** Scores by a model in a container that this server runs: the container is waited for, then it is asked as any other server is. */
import { err, ok, type Issue, type ReleaseId, type Result } from "../std.ts";
import type { Clock, Random } from "../store/index.ts";
import type { ContainerScorerSpec } from "./container-scorer-spec.ts";
import { serverInside } from "./container-scorer-spec.ts";
import type { Containers, HeldContainer } from "./containers.ts";
import type { CompiledEndpoint } from "./endpoint.ts";
import type { CompiledFeatures } from "./features.ts";
import { openHttpScorer, type HttpScorer } from "./http-scorer.ts";
import type { Inputs } from "./inputs.ts";
import { ScorerError, type Scored, type Scorer, type ScorerRows } from "./scorer.ts";
import type { TraceContext } from "./trace-context.ts";

export class ContainerScorer implements Scorer {
  readonly #http: HttpScorer;
  readonly #held: HeldContainer;
  readonly rows: ScorerRows;

  constructor(http: HttpScorer, held: HeldContainer) {
    this.#http = http;
    this.#held = held;
    this.rows = { ...http.rows, score: (rows) => (held.isUp() ? http.rows.score(rows) : Promise.reject(down())) };
  }

  /** What the container printed last, in words for an error. */
  logEnd(): Promise<string> {
    return this.#held.logEnd();
  }

  health(): ReturnType<HttpScorer["health"]> {
    const { isUp, breaks } = this.#http.health();
    return { isUp: isUp && this.#held.isUp(), breaks };
  }

  // While it is being started again nobody is sent there: the next in line answers at once, and the breaker learns nothing false.
  score(inputs: Inputs, timeoutMs: number, trace?: TraceContext): Promise<Scored> {
    return this.#held.isUp() ? this.#http.score(inputs, timeoutMs, trace) : Promise.reject(down());
  }
  async scoreMany(inputs: readonly Inputs[]): Promise<readonly (Scored | ScorerError)[]> {
    return this.#held.isUp() ? this.#http.scoreMany(inputs) : inputs.map(down);
  }
  async close(): Promise<void> {
    await this.#http.close();
    await this.#held.giveBack();
  }
}

const down = () => new ScorerError("down", "the container is being started again");

/** Opens a scorer in a container; when it can't be used, the issues (paths below the scorer) end with what the container printed. */
export async function openContainerScorer(
  spec: ContainerScorerSpec,
  {
    features,
    endpoint,
    release,
  }: { readonly features: CompiledFeatures; readonly endpoint: CompiledEndpoint; readonly release: ReleaseId },
  {
    containers,
    clock,
    random,
    secrets,
  }: {
    readonly containers: Containers;
    readonly clock: Clock;
    readonly random: Random;
    readonly secrets: Readonly<Record<string, string>>;
  },
): Promise<Result<ContainerScorer, readonly Issue[]>> {
  const held = await containers.take(spec, release);
  if (!held.ok) return held;
  const http = { egress: held.value.route, random, secrets };
  const opened = await openHttpScorer(serverInside(spec), { features, endpoint }, { clock, http });
  if (opened.ok) return ok(new ContainerScorer(opened.value, held.value));
  const log = await held.value.logEnd();
  await held.value.giveBack();
  // People wrote no address here; what is wrong with the server inside is wrong with the image.
  return err(
    opened.error.map((issue) => ({
      ...issue,
      path: issue.path === "/url" ? "/image" : issue.path,
      hint: issue.hint === undefined ? log : `${issue.hint}; ${log}`,
    })),
  );
}
