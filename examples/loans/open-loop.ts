/**
 * Applications that arrive when they arrive, whether or not the last one was answered: an open loop shows stalls that a client
 * which waits for each answer would hide. Latency counts from the moment an application was due.
 */
import { Pool } from "undici";

export interface Application {
  readonly subject: string;
  readonly inputs: Readonly<Record<string, number | string>>;
  readonly groups: Readonly<Record<string, string>>;
  /** What will turn out to be true. */
  readonly outcome: string;
}

export interface OpenLoopOptions {
  readonly url: string;
  readonly endpoint: string;
  /** Token of the web application that asks for decisions. */
  readonly applicationToken: string;
  /** Token of the system that knows what became of a loan. */
  readonly outcomesToken: string;
  readonly perSecond: number;
  /** Outcomes are told this long after the decision. */
  readonly outcomeAfterMs: number;
}

export interface LoopCounts {
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  readonly outcomes: number;
  readonly byRelease: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How late the generator itself was, 99 % of the time. */
  readonly lagMsP99: number;
  /** The first failures, in words. */
  readonly failures: readonly string[];
}

const TIMEOUT_MS = 5000;
const TICK_MS = 4;

interface Answer {
  readonly id: string;
  readonly release: string;
}

export class OpenLoop {
  readonly #options: OpenLoopOptions;
  readonly #pool: Pool;
  readonly #latencies: number[] = [];
  readonly #lags: number[] = [];
  readonly #byRelease = new Map<string, number>();
  readonly #failures: string[] = [];
  readonly #due: { readonly atMs: number; readonly decision: string; readonly outcome: string }[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #sent = 0;
  #answered = 0;
  #failed = 0;
  #outcomes = 0;

  constructor(options: OpenLoopOptions) {
    this.#options = options;
    this.#pool = new Pool(options.url, { connections: 64, keepAliveTimeout: 30_000 });
  }

  /** Sends what comes, at the rate, until `signal` fires or there is no more; then waits for the answers. */
  async run(applications: Iterator<Application>, signal: AbortSignal): Promise<void> {
    const startedMs = performance.now();
    let planned = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const nowMs = performance.now();
        for (;;) {
          const dueMs = startedMs + (planned * 1000) / this.#options.perSecond;
          if (dueMs > nowMs && !signal.aborted) break;
          const next = signal.aborted ? undefined : applications.next();
          if (!next || next.done) {
            clearInterval(timer);
            return resolve();
          }
          planned++;
          this.#lags.push(nowMs - dueMs);
          this.#track(this.#ask(next.value, dueMs));
        }
        this.#tellOutcomes(nowMs);
      }, TICK_MS);
    });
    await Promise.all(this.#underWay);
    this.#tellOutcomes(Number.POSITIVE_INFINITY);
    await Promise.all(this.#underWay);
  }

  counts(): LoopCounts {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const quantile = (values: readonly number[], share: number) =>
      Math.round((values[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0) * 100) / 100;
    return {
      sent: this.#sent,
      answered: this.#answered,
      failed: this.#failed,
      outcomes: this.#outcomes,
      byRelease: Object.fromEntries(this.#byRelease),
      p50Ms: quantile(sorted, 0.5),
      p99Ms: quantile(sorted, 0.99),
      lagMsP99: quantile(
        this.#lags.toSorted((a, b) => a - b),
        0.99,
      ),
      failures: this.#failures,
    };
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  #track(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  async #ask({ subject, inputs, groups, outcome }: Application, dueMs: number): Promise<void> {
    this.#sent++;
    try {
      const reply = await this.#pool.request({
        method: "POST",
        path: `/v1/endpoints/${this.#options.endpoint}/decisions`,
        headers: { "content-type": "application/json", authorization: `Bearer ${this.#options.applicationToken}` },
        body: JSON.stringify({ subject, inputs, groups }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = await reply.body.text();
      if (reply.statusCode !== 200) throw new Error(`${reply.statusCode} ${text.slice(0, 200)}`);
      const answer = asAnswer(JSON.parse(text));
      this.#latencies.push(performance.now() - dueMs);
      this.#answered++;
      this.#byRelease.set(answer.release, (this.#byRelease.get(answer.release) ?? 0) + 1);
      this.#due.push({ atMs: performance.now() + this.#options.outcomeAfterMs, decision: answer.id, outcome });
    } catch (error) {
      this.#failed++;
      if (this.#failures.length < 5) this.#failures.push(error instanceof Error ? error.message : String(error));
    }
  }

  #tellOutcomes(nowMs: number): void {
    const ready = this.#due.findIndex((item) => item.atMs > nowMs);
    const count = ready < 0 ? this.#due.length : ready;
    if (count === 0 || (count < 50 && nowMs !== Number.POSITIVE_INFINITY)) return;
    const outcomes = this.#due.splice(0, Math.min(count, 400)).map(({ decision, outcome }) => ({ decision, value: outcome }));
    this.#track(this.#tell(outcomes));
    if (count > 400) this.#tellOutcomes(nowMs);
  }

  async #tell(outcomes: readonly { readonly decision: string; readonly value: string }[]): Promise<void> {
    const reply = await this.#pool.request({
      method: "POST",
      path: `/v1/endpoints/${this.#options.endpoint}/outcomes`,
      headers: { "content-type": "application/json", authorization: `Bearer ${this.#options.outcomesToken}` },
      body: JSON.stringify({ outcomes }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await reply.body.text();
    if (reply.statusCode === 200) this.#outcomes += outcomes.length;
    else if (this.#failures.length < 5) this.#failures.push(`outcomes: ${reply.statusCode} ${text.slice(0, 200)}`);
  }
}

/** The documented reply to a decision. */
const asAnswer = (value: unknown): Answer => value as Answer;
