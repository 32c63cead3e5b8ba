/** One container that a model runs in: started, waited for, watched, started again when it ends, and removed. */
import { err, ok, type Issue, type Result } from "../std.ts";
import type { Clock, Timers } from "../store/index.ts";
import { exitText } from "./container-body.ts";
import { EngineError, type ContainerEngine, type ContainerState } from "./container-engine.ts";
import { ContainerRoute } from "./container-route.ts";
import { startTimeoutOf, type ContainerScorerSpec } from "./container-scorer-spec.ts";
import type { LogLine } from "./container-streams.ts";
import { NO_ENDS, afterEnd } from "./restart-policy.ts";

/** One that runs already must answer within this, or another is made. */
const ADOPT_MS = 5000;
const POLL_MS = 100;
const LOOK_EVERY_MS = 5000;
/** A server that doesn't say that it is ready so many looks in a row hangs. */
const MOST_BAD_LOOKS = 3;
/** Shown when it fails. */
const LOG_LINES = 50;
const LOG_WIDTH = 300;
const NOT_NEEDED = "it isn't needed any more";

export interface ModelContainerParts {
  readonly engine: ContainerEngine;
  readonly spec: ContainerScorerSpec;
  /** Makes a container, of a new name. */
  readonly create: () => Promise<string>;
  /** It can't be reached on the network that it was made on. @returns whether another one can be tried */
  readonly leaveNetwork: () => boolean;
  /** Asks the server inside whether it is ready. */
  readonly probe: (route: ContainerRoute) => Promise<Issue | undefined>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly onTrouble: (error: Error) => void;
}

type State =
  | { readonly kind: "starting" }
  | { readonly kind: "up"; readonly sinceMs: number }
  | { readonly kind: "down"; readonly againAtMs: number }
  | { readonly kind: "left" };

export class ModelContainer {
  /** Calls of its scorers go there. */
  readonly route = new ContainerRoute();
  readonly #parts: ModelContainerParts;
  readonly #left = new AbortController();
  #state: State = { kind: "starting" };
  #id: string | null = null;
  #ends = NO_ENDS;
  #lookedMs = 0;
  #badLooks = 0;
  #isWatched = false;
  #isLooking = false;

  constructor(parts: ModelContainerParts) {
    this.#parts = parts;
  }

  get id(): string | null {
    return this.#id;
  }
  get isUp(): boolean {
    return this.#state.kind === "up";
  }

  /**
   * Starts it and waits until it is ready; when that fails nothing is left of it. Issues have paths below the scorer.
   * @param running - a container of the same form that may be running: taken over if it answers
   */
  async begin(running: string | undefined): Promise<Result<void, readonly Issue[]>> {
    try {
      if (running !== undefined && (await this.#adopt(running))) return ok(undefined);
      const trouble = await this.#startNew();
      if (trouble === undefined) return ok(undefined);
      const hint = await this.logEnd();
      await this.remove();
      return err([{ path: "", expected: this.#readyWords, got: trouble, hint }]);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      await this.remove().catch(() => undefined); // it is told as what came first
      return err([engineIssue(error)]);
    }
  }

  /** What it printed last, in words for an error. */
  async logEnd(): Promise<string> {
    try {
      const lines = await this.logs(LOG_LINES);
      if (lines.length === 0) return "it printed nothing";
      return `its log ends with:\n${lines.map(({ text }) => (text.length > LOG_WIDTH ? `${text.slice(0, LOG_WIDTH)}…` : text)).join("\n")}`;
    } catch (error) {
      if (error instanceof EngineError) return `its log can't be read: ${error.message}`;
      throw error;
    }
  }

  /** @throws EngineError */
  async logs(tail: number, sinceSeconds = 0): Promise<readonly LogLine[]> {
    return this.#id === null ? [] : this.#parts.engine.logs(this.#id, tail, sinceSeconds);
  }

  /** To be called every second or so. */
  async tick(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const nowMs = this.#nowMs();
      if (this.#state.kind === "down" && nowMs >= this.#state.againAtMs) await this.#restart();
      else if (this.#state.kind === "up" && nowMs >= this.#lookedMs + LOOK_EVERY_MS) await this.#look();
    } finally {
      this.#isLooking = false;
    }
  }

  /** Watches it no longer; it goes on running. */
  leave(): void {
    this.#state = { kind: "left" };
    this.#left.abort();
  }

  /** @throws EngineError */
  async remove(): Promise<void> {
    this.leave();
    this.route.point(null);
    const id = this.#id;
    this.#id = null;
    if (id !== null) await this.#parts.engine.remove(id);
  }

  get #readyWords(): string {
    return `a container that is ready within ${startTimeoutOf(this.#parts.spec) / 1000} s`;
  }

  #nowMs(): number {
    return this.#parts.clock.monotonicUs() / 1000;
  }

  async #adopt(id: string): Promise<boolean> {
    this.#id = id;
    if ((await this.#inspect(id))?.isRunning === true && (await this.#whyNotReady(id, ADOPT_MS)) === undefined) return this.#isNowUp(id);
    this.#id = null;
    await this.#parts.engine.remove(id);
    return false;
  }

  async #startNew(): Promise<string | undefined> {
    const id = await this.#parts.create();
    if (this.#left.signal.aborted) {
      await this.#parts.engine.remove(id);
      return NOT_NEEDED;
    }
    this.#id = id;
    await this.#parts.engine.start(id);
    const state = await this.#inspect(id);
    if (state?.isRunning === true && state.address === null && this.#parts.leaveNetwork()) {
      await this.#parts.engine.remove(id);
      return this.#startNew();
    }
    const trouble = await this.#whyNotReady(id, startTimeoutOf(this.#parts.spec));
    if (trouble === undefined) this.#isNowUp(id);
    return trouble;
  }

  #inspect(id: string): Promise<ContainerState | undefined> {
    return this.#parts.engine.inspect(id, this.#parts.spec.port);
  }

  /** Asks every 100 ms; a container that has ended is not waited for. */
  async #whyNotReady(id: string, withinMs: number): Promise<string | undefined> {
    const untilMs = this.#nowMs() + withinMs;
    let last: string;
    for (;;) {
      const state = await this.#inspect(id);
      if (this.#left.signal.aborted) return NOT_NEEDED;
      if (!state) return "somebody removed it";
      if (!state.isRunning) return exitText(state.exitCode, this.#parts.spec);
      if (state.address === null) last = "the engine gives it no address";
      else {
        this.route.point(state.address);
        const issue = await this.#parts.probe(this.route);
        if (issue === undefined) return undefined;
        last = issue.got ?? issue.expected;
      }
      if (this.#nowMs() >= untilMs) return last;
      await this.#parts.timers.sleep(POLL_MS);
    }
  }

  #isNowUp(id: string): true {
    const nowMs = this.#nowMs();
    this.#state = { kind: "up", sinceMs: nowMs };
    this.#lookedMs = nowMs;
    this.#badLooks = 0;
    this.#watch(id);
    return true;
  }

  /** Learns of its end at once. Where the engine itself goes away meanwhile, the looks find out. */
  #watch(id: string): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    const watching = this.#parts.engine.exited(id, this.#left.signal).then(
      () => true,
      () => false,
    );
    void watching.then(async (hasEnded) => {
      this.#isWatched = false;
      if (hasEnded && this.#state.kind === "up") await this.#look();
    });
  }

  async #look(): Promise<void> {
    const id = this.#id;
    const state = this.#state;
    if (id === null || state.kind !== "up") return;
    this.#lookedMs = this.#nowMs();
    const why = await this.#whyEnded(id);
    // Another look may have seen it end, and it may be up again.
    if (this.#state !== state) return;
    if (why === undefined) return this.#watch(id);
    // Its watch must not start it again while it is killed: Podman would not see it stopped, and not answer.
    this.#state = { kind: "starting" };
    if (this.#badLooks >= MOST_BAD_LOOKS) await this.#parts.engine.kill(id).catch(engineTrouble);
    if (!this.#left.signal.aborted) await this.#hasEnded(why, this.#nowMs() - state.sinceMs);
  }

  async #whyEnded(id: string): Promise<string | undefined> {
    const state = await this.#inspect(id).catch(engineTrouble);
    if (state === undefined) return "somebody removed it";
    if (!(state instanceof EngineError) && !state.isRunning) return exitText(state.exitCode, this.#parts.spec);
    const issue = await this.#parts.probe(this.route);
    this.#badLooks = issue === undefined ? 0 : this.#badLooks + 1;
    if (this.#badLooks < MOST_BAD_LOOKS) return undefined;
    return `it hung: ${issue?.got ?? "no answer"}, ${MOST_BAD_LOOKS} looks in a row`;
  }

  async #hasEnded(why: string, upMs: number): Promise<void> {
    this.route.point(null);
    const { ends, delayMs, isTrouble } = afterEnd(this.#ends, this.#nowMs(), upMs);
    this.#ends = ends;
    this.#state = { kind: "down", againAtMs: this.#nowMs() + delayMs };
    const next = delayMs === 0 ? "starting it again" : `starting it again in ${delayMs / 1000} s`;
    const often = isTrouble ? `; 5 times within 5 minutes. ${await this.logEnd()}` : "";
    this.#parts.onTrouble(new Error(`the container of ${this.#parts.spec.image}: ${why}; ${next}${often}`));
    if (delayMs === 0) await this.#restart();
  }

  async #restart(): Promise<void> {
    if (this.#state.kind !== "down") return;
    this.#state = { kind: "starting" };
    const why = await this.#startAgain().catch((error: unknown) => engineTrouble(error).message);
    if (this.#left.signal.aborted) return;
    if (why !== undefined) await this.#hasEnded(why, 0);
  }

  async #startAgain(): Promise<string | undefined> {
    const id = this.#id;
    if (id === null || !(await this.#inspect(id))) return this.#startNew();
    await this.#parts.engine.start(id);
    const trouble = await this.#whyNotReady(id, startTimeoutOf(this.#parts.spec));
    if (trouble === undefined) this.#isNowUp(id);
    else if (!this.#left.signal.aborted) await this.#parts.engine.kill(id);
    return trouble;
  }
}

/** An engine that fails is the world's fault; anything else is ours. */
function engineTrouble(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  throw error;
}

/** What stood in the way of a container, in the engine's words. */
export const engineIssue = (error: EngineError): Issue => ({
  path: "",
  expected: "a container that starts",
  got: error.message,
  ...(error.status === 0 ? { hint: "is the engine running? evenkeel up --container-engine <socket>" } : {}),
});
