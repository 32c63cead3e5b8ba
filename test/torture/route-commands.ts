/** Somebody who changes the route table all the time: promotes, rolls back, reinstates, and knows what was acknowledged. */
import { EvenkeelProblem, EvenkeelUnreachable, type EvenkeelClient } from "../../src/client.ts";

/** Of a route table as the API gives it: what people are decided by. */
export interface Route {
  readonly generation: number;
  readonly live: string;
  readonly standby: string | null;
  readonly fallback: string;
  readonly condemned: readonly string[];
}
interface Switched {
  readonly route: Route;
}

const STEPS: readonly { readonly verb: "promote" | "rollback" | "reinstate"; readonly release: string | null }[] = [
  { verb: "rollback", release: null }, // r3 is condemned, r2 is back
  { verb: "reinstate", release: "r3" },
  { verb: "promote", release: "r3" },
];

export class RouteCommands {
  /** The last table that a command was answered with. */
  last: Route | undefined;
  acked = 0;
  readonly refused: string[] = [];
  readonly #client: EvenkeelClient;
  readonly #pauseMs: number;
  #isOver = false;
  #running: Promise<void> = Promise.resolve();

  constructor(client: EvenkeelClient, pauseMs: number) {
    this.#client = client;
    this.#pauseMs = pauseMs;
  }

  start(): void {
    this.#running = this.#run();
  }
  /** Resolves when no command is under way. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    // Where the last run was cut off, the first commands may be out of step and are refused: then the next one is tried.
    for (let at = 0; !this.#isOver; at++) {
      const step = STEPS[at % STEPS.length];
      if (!step) return;
      const body = { reason: "torture", ...(step.release === null ? {} : { release: step.release }) };
      try {
        const { route } = await this.#client.post<Switched>(`/v1/endpoints/loans/${step.verb}`, body);
        this.last = route;
        this.acked++;
      } catch (error) {
        if (error instanceof EvenkeelUnreachable) return;
        if (!(error instanceof EvenkeelProblem)) throw error;
        if (error.problem.status >= 500) this.refused.push(`${step.verb}: ${error.problem.status} ${error.message}`);
      }
      await new Promise((resolve) => setTimeout(resolve, this.#pauseMs));
    }
  }
}

export const routeOf = async (client: EvenkeelClient): Promise<Route> =>
  (await client.get<{ readonly route: Route }>("/v1/endpoints/loans")).route;
