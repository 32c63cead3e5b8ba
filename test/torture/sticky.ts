/** A canary's share goes from nothing to everybody in steps, on the real server: nobody is moved more than once, and the share is what it says. */
import { join } from "node:path";
import { binomialBand } from "./binomial.ts";
import { ENDPOINT, limitOf } from "./applications.ts";
import type { Case, Survived } from "./case.ts";
import { HttpConnection, decisionPost } from "./http-client.ts";
import { inspect, type Acknowledged } from "./invariants.ts";
import { ServerProcess } from "./server-process.ts";
import { copyOf } from "./victim-world.ts";

const CONNECTIONS = 32;
/** One in ten thousand sound runs is told to be wrong, for each share that is tried. */
const COVERAGE = 0.9999;
const [OLD, NEW] = ["r2", "r3"] as const;
type Arm = typeof OLD | typeof NEW;

interface Reply {
  readonly id: string;
  readonly action: string;
  readonly score: number | null;
  readonly release: Arm;
  readonly generation: number;
  readonly route: string;
  readonly decidedAt: string;
}
const asReply = (text: string): Reply => JSON.parse(text) as Reply;

export const sticky: Case = {
  id: "S",
  title: "canary's share from 0 to 1 in steps",
  section: "fault",
  cannot: () => undefined,
  async run(torment): Promise<Survived> {
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(torment.folder(), "data"));
    const [people, steps] = torment.isShort ? [300, 5] : [3000, 20];
    const server = await ServerProcess.start({ folder });
    const command = (verb: string, body: object) => server.control.post(`/v1/endpoints/${ENDPOINT}/${verb}`, { reason: "sticky", ...body });
    const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => HttpConnection.open(server.port)));
    const [acked, failures]: [Acknowledged[], string[]] = [[], []];
    let [wrong, serverErrors] = [0, 0];
    /** Asks for everybody once. @returns who answered each */
    const askAll = async (step: number): Promise<readonly (Arm | undefined)[]> => {
      const arms: (Arm | undefined)[] = Array.from({ length: people });
      let next = 0;
      const each = async (connection: HttpConnection) => {
        for (let n = next++; n < people; n = next++) {
          const { body, income } = applicationOf(n, step);
          const answer = await connection.send(decisionPost({ endpoint: ENDPOINT, token, body, key: null }));
          if (answer.status >= 500) serverErrors++;
          if (answer.status !== 200) throw new Error(`person ${n} was answered ${answer.status}: ${answer.body}`);
          const { decidedAt, ...reply } = asReply(answer.body);
          if (reply.action !== (income >= limitOf(reply.release) ? "approve" : "deny")) wrong++;
          acked.push({ ...reply, payload: body, decidedAtMs: Date.parse(decidedAt) });
          arms[n] = reply.release;
        }
      };
      await Promise.all(connections.map(each));
      return arms;
    };
    await command("promote", { release: OLD });
    const moves = Array.from({ length: people }, () => 0);
    let last = await askAll(0);
    let furthest = 0;
    for (let step = 0; step <= steps; step++) {
      const share = step / steps;
      torment.say(`share ${share}`);
      if (step === steps) await command("promote", { release: NEW });
      else if (step > 0) await command("canary", { release: NEW, share });
      const arms = await askAll(step + 1);
      for (const [n, arm] of arms.entries()) if (arm !== last[n]) moves[n] = (moves[n] ?? 0) + 1;
      last = arms;
      const count = arms.filter((arm) => arm === NEW).length;
      const { low, high } = binomialBand(people, share, COVERAGE);
      if (count < low || count > high) failures.push(`a share of ${share} was answered ${count} of ${people}: expected ${low} to ${high}`);
      furthest = Math.max(furthest, Math.abs(count / people - share));
    }
    for (const connection of connections) connection.close();
    const restless = moves.filter((count) => count > 1).length;
    if (restless > 0) failures.push(`${restless} people were moved more than once`);
    const found = await inspect(folder, acked, true);
    await server.kill();
    return {
      kind: "fault",
      runs: steps + 1,
      injected: steps + 1,
      acked: acked.length,
      lost: found.lost,
      doubled: found.doubled,
      wrong: wrong + found.wrong,
      tallyOff: found.tallyOff,
      serverErrors,
      recoverMs: [],
      note: `${people} people asked for at each of ${steps + 1} shares; moved at most ${Math.max(...moves)}×; furthest from its share ${(furthest * 100).toFixed(1)} points`,
      failures: [...failures, ...found.failures],
    };
  },
};

/** The same person each time, with an income that differs: another application. */
function applicationOf(n: number, step: number): { readonly body: string; readonly income: number } {
  const income = (n * 37 + step * 7) % 100;
  const education = n % 2 === 0 ? "university" : "high_school";
  return { income, body: JSON.stringify({ subject: `sticky-${n}`, inputs: { income, education }, groups: { education } }) };
}
