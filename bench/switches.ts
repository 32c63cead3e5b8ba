/** Promotions, canaries, aborts, rollbacks and reinstatements at random while applications go on: whether anybody notices. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EvenkeelClient, EvenkeelProblem, type RouteTableView, type SwitchView } from "../src/index.ts";
import { chance, type Chance } from "../test/torture/chance.ts";
import type { Lender } from "./lender.ts";
import { lastSeq, recordedSince, type Decided, type Recorded } from "./log-reading.ts";
import type { Load, Started } from "./processes.ts";

export interface SwitchFigures {
  readonly commands: number;
  readonly byKind: Readonly<Record<string, number>>;
  /** Commands whose release had to be loaded first. Their time is that of loading, so it stands apart. */
  readonly cold: number;
  /** Requests that the load sent in all, how many of them a second, and how many got no decision. */
  readonly requests: number;
  readonly perSecond: number;
  readonly failed: number;
  /** Of the decisions that were answered: not in the log, or not as the reply says (release, generation, action). */
  readonly recordedOtherwise: number;
  /** Decisions in the log beyond those that were answered or failed. */
  readonly doubled: number;
  /** Recorded decisions by a table that a command had replaced, dated after the command was acknowledged. */
  readonly byOldTable: number;
  /** From the command until every new request met the new table, as the server measured it. */
  readonly effectMs: Spread;
  readonly coldEffectMs: Spread;
  /** From the command until the last answer of the old table had been given. */
  readonly drainedMs: Spread;
  /** Medians of windows with and without commands, in turn. */
  readonly p99Ms: { readonly without: number; readonly during: number };
}
interface Spread {
  readonly median: number;
  readonly worst: number;
}

const LOANS = "/v1/endpoints/loans";
const CONNECTIONS = 16;
const WINDOW_MS = 1500;
/** Of what these connections carry at most: a server at its limit has no p99 to be kept. */
const LOAD = 0.5;
/** Few: a condemned release has to be loaded again, which takes a core for a while. */
const CONDEMNED = 0.1;

export async function switchesUnderLoad(
  server: Started & { readonly folder: string },
  lender: Lender,
  load: Load,
  { commands, seed }: { readonly commands: number; readonly seed: number },
): Promise<SwitchFigures> {
  const kept = join(server.folder, "..", "replies.ndjson");
  writeFileSync(kept, "");
  const someone = await Someone.open(server.url, lender, chance(seed));
  try {
    await someone.home();
    const ceiling = await load.run({ ...server, connections: CONNECTIONS, warmUpMs: 500, durationMs: 1000 });
    const perSecond = Math.floor(ceiling.perSecond * LOAD);
    const firstSeq = lastSeq(server.folder);
    const windows: { readonly requests: number; readonly failed: number; readonly p99Ms: number; readonly isBusy: boolean }[] = [];
    const measure = async (isBusy: boolean) => {
      const { requests, failed, p99Ms } = await load.run({
        ...server,
        connections: CONNECTIONS,
        warmUpMs: 0,
        durationMs: WINDOW_MS,
        perSecond,
        keep: kept,
      });
      windows.push({ requests, failed, p99Ms, isBusy });
    };
    while (someone.switched.length < commands) {
      await someone.home();
      await measure(false);
      let isOver = false;
      const measuring = measure(true).finally(() => (isOver = true));
      while (!isOver && someone.switched.length < commands) await someone.act();
      await measuring;
    }
    const sum = (pick: (one: (typeof windows)[number]) => number) => windows.reduce((total, one) => total + pick(one), 0);
    const p99Of = (isBusy: boolean) => spread(windows.filter((one) => one.isBusy === isBusy).map(({ p99Ms }) => p99Ms)).median;
    const [warm, cold] = [someone.switched.filter(({ isWarm }) => isWarm), someone.switched.filter(({ isWarm }) => !isWarm)];
    const failed = sum((one) => one.failed);
    return {
      commands: someone.switched.length,
      byKind: Object.fromEntries(
        Object.entries(Object.groupBy(someone.switched, ({ kind }) => kind)).map(([kind, all = []]) => [kind, all.length]),
      ),
      cold: cold.length,
      requests: sum((one) => one.requests),
      perSecond,
      failed,
      ...compare(recordedSince(server.folder, firstSeq), repliesIn(kept), failed, someone.switched),
      effectMs: spread(warm.map(({ view }) => view.switchedMs)),
      coldEffectMs: spread(cold.map(({ view }) => view.switchedMs)),
      drainedMs: spread(warm.map(({ view }) => view.drainedMs)),
      p99Ms: { without: p99Of(false), during: p99Of(true) },
    };
  } finally {
    await someone.close();
  }
}

interface Act {
  readonly kind: string;
  readonly path: string;
  readonly body: object;
  /** Whom it gives a place. */
  readonly release: string | null;
}
interface SwitchedAt {
  readonly kind: string;
  readonly view: SwitchView;
  readonly isWarm: boolean;
  readonly acknowledgedMs: number;
}

/** Somebody who changes the route table without end, by the API's own routes. */
class Someone {
  readonly switched: SwitchedAt[] = [];
  readonly #client: EvenkeelClient;
  readonly #random: Chance;
  /** Alike in cost, so that what is measured is the switching. */
  readonly #releases: readonly [string, string];
  #route: RouteTableView;
  #isRollingOut = false;

  private constructor(client: EvenkeelClient, random: Chance, releases: readonly [string, string], route: RouteTableView) {
    this.#client = client;
    this.#random = random;
    this.#releases = releases;
    this.#route = route;
  }
  static async open(url: string, { adminToken, releases, twin }: Lender, random: Chance): Promise<Someone> {
    const client = new EvenkeelClient({ url, token: adminToken });
    const { route } = await client.get<{ readonly route: RouteTableView }>(LOANS);
    return new Someone(client, random, [releases["random forest"], twin], route);
  }
  close(): Promise<void> {
    return this.#client.close();
  }

  /** Everything as before: one live, the other standing by. */
  async home(): Promise<void> {
    const [first, second] = this.#releases;
    if (this.#isRollingOut) await this.#do({ kind: "abort", path: "rollout/abort", body: {}, release: null });
    if (this.#route.canary) await this.#do(stop(this.#route.canary.release));
    for (const release of this.#route.condemned) await this.#do(reinstate(release));
    if (this.#route.live !== second) await this.#do(promote(second));
    await this.#do(promote(first));
  }

  /** One command of those that make sense now, after a short pause. */
  async act(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#random.between(0, 40)));
    const possible = this.#possible();
    const act = possible[this.#random.between(0, possible.length - 1)];
    if (!act) throw new Error(`nothing can be done with ${JSON.stringify(this.#route)}`);
    this.switched.push(await this.#do(act));
  }

  #possible(): readonly Act[] {
    const { live, canary, fallback, condemned } = this.#route;
    if (this.#isRollingOut) return [{ kind: "abort", path: "rollout/abort", body: {}, release: null }];
    const [wronged] = condemned;
    if (wronged !== undefined) return [reinstate(wronged)];
    const back: Act = {
      kind: "rollback",
      path: "rollback",
      body: { condemn: this.#random.next() < CONDEMNED },
      release: this.#route.standby ?? fallback,
    };
    const others = this.#releases.filter((release) => release !== live);
    const share = this.#random.between(1, 9) / 10;
    return [
      // Beside a canary nobody else is promoted.
      ...others.filter((release) => !canary || canary.release === release).map(promote),
      ...(live === fallback ? [] : [back]),
      ...(canary
        ? [stop(canary.release)]
        : others.map((release) => ({ kind: "canary", path: "canary", body: { release, share }, release }))),
      ...(canary ? [] : others.map((release) => ({ kind: "rollout", path: "rollout", body: { release, rollout: "canary" }, release }))),
    ];
  }

  async #do({ kind, path, body, release }: Act): Promise<SwitchedAt> {
    const { live, canary, standby, fallback } = this.#route;
    const isWarm = release === null || [live, canary?.release, standby, fallback].includes(release);
    try {
      const view = await this.#client.post<SwitchView>(`${LOANS}/${path}`, { reason: "the next measurement", ...body });
      this.#route = view.route;
      if (kind === "rollout") this.#isRollingOut = true;
      if (kind === "abort" || kind === "promote" || kind === "rollback") this.#isRollingOut = false;
      return { kind, view, isWarm, acknowledgedMs: Date.now() };
    } catch (error) {
      if (error instanceof EvenkeelProblem) throw new Error(`${kind} was refused: ${error.message}`, { cause: error });
      throw error;
    }
  }
}

const promote = (release: string): Act => ({ kind: "promote", path: "promote", body: { release }, release });
const stop = (release: string): Act => ({ kind: "stop", path: "stop", body: { release }, release: null });
const reinstate = (release: string): Act => ({ kind: "reinstate", path: "reinstate", body: { release }, release: null });

const asDecided = (line: string): Decided => JSON.parse(line) as Decided;
const repliesIn = (file: string): readonly Decided[] => readFileSync(file, "utf8").split("\n").filter(Boolean).map(asDecided);

function compare(recorded: readonly Recorded[], replies: readonly Decided[], failed: number, switched: readonly SwitchedAt[]) {
  const byId = new Map(recorded.map((one) => [one.id, one]));
  const recordedOtherwise = replies.filter(({ id, release, generation, action }) => {
    const found = byId.get(id);
    return found?.release !== release || found.generation !== generation || found.action !== action;
  }).length;
  const ends = switched.map(({ acknowledgedMs, view }) => ({ acknowledgedMs, generation: view.route.generation }));
  const byOldTable = recorded.filter((one) => {
    const last = ends.findLast(({ acknowledgedMs }) => acknowledgedMs < one.decidedAtMs);
    return last !== undefined && one.generation < last.generation;
  }).length;
  return { recordedOtherwise, doubled: Math.max(0, recorded.length - replies.length - failed), byOldTable };
}

function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? Number.NaN, worst: sorted.at(-1) ?? Number.NaN };
}
