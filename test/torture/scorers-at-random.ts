/**
 * F19, F10: scorers killed, crashed, hanging, slow, answering garbage, 5xx or NaN, at random and both at once: everybody is answered
 * in time by the first in line that is well, and the log says who it was and why.
 */
import { FAULTS, type Fault } from "../fixtures/model-server.ts";
import { Asking } from "./asking.ts";
import type { Case, Survived, Torment } from "./case.ts";
import type { Chance } from "./chance.ts";
import type { Sent } from "./load-order.ts";
import { openToRead } from "./read-store.ts";
import { survivedAs } from "./survived.ts";
import { HTTP, ONNX, openScorerWorld, scorerPids, type Breakable, type ScorerWorld } from "./scorer-world.ts";

const RUN = "f19";
const CONNECTIONS = 8;
const REQUESTS_A_ROUND = 64;
/** Killed, crashed in native code, hanging. */
const SIGNALS = ["SIGKILL", "SIGSEGV", "SIGSTOP"] as const;
type Signal = (typeof SIGNALS)[number];
/** Time of one scorer, and of all of a decision; the last in line has 20 ms more. */
const [SCORER_MS, DEADLINE_MS, LAST_MS] = [200, 500, 20];
/** On a machine that does other things as well, so many in a hundred may be recorded later than their deadline. */
const LATE_SHARE = 0.01;
/** What the log may say of why the live one didn't answer. */
const WHY = {
  [HTTP]: new RegExp(`^${HTTP} (timeout|bad-answer|bad-score|labels|failed|down|breaker-open): `),
  [ONNX]: new RegExp(`^${ONNX} (timeout|crashed|down): `),
} as const;
/** A process that dies again and again is replaced after up to 10 s. */
const HEALED_WITHIN_MS = 20_000;

/** What is wrong with whom in a round; not both null. */
interface Trouble {
  readonly http: Fault | null;
  readonly onnx: Signal | null;
}
interface Answered extends Sent {
  readonly live: Breakable;
  readonly trouble: Trouble;
}

export const scorersAtRandom: Case = {
  id: "F19",
  title: "scorers killed, hanging, slow, wrong, at random",
  section: "fault",
  cannot: () => (process.platform === "linux" ? undefined : "no /proc"),
  async run(torment): Promise<Survived> {
    const world = await openScorerWorld(torment.folder());
    try {
      return await survived(world, torment);
    } finally {
      await world.close();
    }
  },
};

async function survived(world: ScorerWorld, torment: Torment): Promise<Survived> {
  const { random, isShort, budgetMs } = torment;
  const asking = await Asking.open({ port: world.server.port, token: world.token, run: RUN, connections: CONNECTIONS });
  const [answers, recoverMs, failures]: [Answered[], number[], string[]] = [[], [], []];
  const startedMs = performance.now();
  let signals = 0;
  const isOver = (round: number) => (isShort ? round >= 4 : round >= 8 && performance.now() - startedMs > budgetMs);
  for (let round = 0; !isOver(round); round++) {
    const live: Breakable = round % 2 === 0 ? ONNX : HTTP;
    const trouble = troubleOf(random, round);
    const what = `${live} live, model server ${trouble.http ?? "well"}, scorer process ${trouble.onnx ?? "well"}`;
    torment.say(`round ${round + 1}: ${what}`);
    await world.lead(live);
    world.model.fault = trouble.http;
    const striking = new Striking(world, trouble.onnx);
    const sent = await asking.many(REQUESTS_A_ROUND);
    signals += await striking.stop();
    answers.push(...sent.map((one) => ({ ...one, live, trouble })));
    world.model.fault = null;
    recoverMs.push(await healed(world, asking, what, failures));
  }
  asking.close();
  const records = recordsOf(world.folder);
  const unlike = answers.flatMap((answer) => troubleWith(answer, records) ?? []);
  const late = answers.filter(({ body }) => (records.get(asReply(body).id)?.latencyMs ?? 0) > DEADLINE_MS + LAST_MS).length;
  if (late > answers.length * LATE_SHARE) failures.push(`${late} of ${answers.length} were decided later than their deadline`);
  if (unlike[0] !== undefined) failures.push(`${unlike.length} answers are not the right member's, or not recorded as such: ${unlike[0]}`);
  const by = (route: string) => answers.filter(({ body }) => body.includes(`"route":"${route}"`)).length;
  const note = `${signals} signals to scorer processes; in trouble live/standby/fallback answered ${by("live")}/${by("standby")}/${by("fallback")}, ${late} past ${DEADLINE_MS + LAST_MS} ms`;
  const survived = await survivedAs(
    { run: RUN, folder: world.folder, isLive: true, sent: asking.all },
    { runs: recoverMs.length, injected: answers.length, recoverMs, note, failures },
  );
  return { ...survived, wrong: survived.wrong + unlike.length };
}

/** The first rounds try each kind once; then all at random. */
function troubleOf(random: Chance, round: number): Trouble {
  const any = <T>(of: readonly T[]): T | null => of[random.between(0, of.length - 1)] ?? null;
  const kind = round < 4 ? round : random.between(0, 3);
  if (kind === 0) return { http: null, onnx: "SIGSTOP" };
  if (kind === 1) return { http: any(FAULTS), onnx: null };
  if (kind === 2) return { http: any(FAULTS), onnx: any(SIGNALS) };
  return { http: any(FAULTS), onnx: "SIGSEGV" };
}

/** Strikes every scorer process that there is, and every one that takes its place. */
class Striking {
  readonly #struck = new Set<number>();
  readonly #timer: NodeJS.Timeout | undefined;

  constructor({ server }: ScorerWorld, signal: Signal | null) {
    const strike = () => {
      for (const pid of scorerPids(server)) {
        if (signal === null || this.#struck.has(pid)) continue;
        this.#struck.add(pid);
        process.kill(pid, signal);
      }
    };
    strike();
    if (signal !== null) this.#timer = setInterval(strike, 20);
  }
  /** @returns how many were struck */
  async stop(): Promise<number> {
    clearInterval(this.#timer);
    return this.#struck.size;
  }
}

/** How long until each of the two, put in front, answers three times in a row. */
async function healed(world: ScorerWorld, asking: Asking, what: string, failures: string[]): Promise<number> {
  const startedMs = performance.now();
  for (const release of [HTTP, ONNX] as const) {
    await world.lead(release);
    for (let inARow = 0; inARow < 3;) {
      if (performance.now() - startedMs > HEALED_WITHIN_MS) {
        failures.push(`after ${what}: ${release} is well, and isn't asked again`);
        return performance.now() - startedMs;
      }
      const { status, body } = await asking.one();
      inARow = status === 200 && body.includes('"route":"live"') ? inARow + 1 : 0;
      if (inARow === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return performance.now() - startedMs;
}

interface Reply {
  readonly id: string;
  readonly release: string;
  readonly route: string;
}
/** Of a decision, or of a problem, which has none of it. */
const asReply = (text: string): Reply => JSON.parse(text) as Reply;

interface Recorded {
  readonly answeredBy: string;
  readonly because: string | null;
  readonly latencyMs: number;
}

function recordsOf(folder: string): ReadonlyMap<string, Recorded> {
  const read = openToRead(folder, true);
  const rows = read.sqlite
    .prepare<[], { id: string; answered_by: string; because: string | null; latency_us: number }>(
      "select id, answered_by, because, latency_us from decision",
    )
    .all();
  read.close();
  return new Map(
    rows.map(({ id, answered_by, because, latency_us }) => [id, { answeredBy: answered_by, because, latencyMs: latency_us / 1000 }]),
  );
}

/** What isn't as it must be about an answer that was given during trouble. */
function troubleWith(answer: Answered, records: ReadonlyMap<string, Recorded>): string | undefined {
  const { status, body, live, trouble } = answer;
  const told = (why: string) =>
    `${why} (${live} live, model server ${trouble.http ?? "well"}, scorer process ${trouble.onnx ?? "well"}): ${body}`;
  if (status !== 200) return told(`answered ${status}`);
  const { id, release, route } = asReply(body);
  const recorded = records.get(id);
  if (!recorded) return told("not recorded");
  if (recorded.answeredBy !== route) return told(`recorded as answered by ${recorded.answeredBy}`);
  const isPlanned = release === live;
  if (route !== (isPlanned ? "live" : release === HTTP || release === ONNX ? "standby" : "fallback")) return told(`${release} as ${route}`);
  if (isPlanned !== (recorded.because === null)) return told(`recorded because ${recorded.because}`);
  if (!isPlanned && !WHY[live].test(recorded.because ?? "")) return told(`recorded because ${recorded.because}`);
  if (release === HTTP && trouble.http !== null) return told("a model server that gives no score has answered");
  // Somebody who is well is passed over only for want of time, which the others must then have used up.
  const line = [live, live === HTTP ? ONNX : HTTP];
  const passedOver = isPlanned ? [] : route === "standby" ? line.slice(0, 1) : line;
  const well = passedOver.find((name) => (name === HTTP ? trouble.http : trouble.onnx) === null);
  return well !== undefined && recorded.latencyMs < SCORER_MS ? told(`${well} is well and was passed over`) : undefined;
}
