/** F16: the same request fifty times at once, through a `kill -9`, and again: one decision, one answer. */
import { join } from "node:path";
import { ENDPOINT, application } from "./applications.ts";
import type { Case, Survived } from "./case.ts";
import { HttpConnection, NoAnswer, decisionPost, type Answer } from "./http-client.ts";
import { acknowledgedOf, inspect } from "./invariants.ts";
import type { Sent } from "./load-order.ts";
import { ServerProcess } from "./server-process.ts";
import { copyOf, keyOf } from "./victim-world.ts";

const RUN = "f16";
const PARALLEL = 50;

export const sameRequest: Case = {
  id: "F16",
  title: "same request 50× at once, kill -9, again",
  section: "fault",
  cannot: () => undefined,
  async run(torment): Promise<Survived> {
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(torment.folder(), "data"));
    const rounds = torment.isShort ? 3 : 20;
    let server = await ServerProcess.start({ folder });
    const [answers, recoverMs, failures]: [Sent[], number[], string[]] = [[], [], []];
    let [cutOff, recordedBefore] = [0, 0];
    for (let n = 0; n < rounds; n++) {
      const { body } = application(RUN, n);
      const request = decisionPost({ endpoint: ENDPOINT, token, body, key: keyOf(RUN, n) });
      const connections = await openAll(server);
      const first = connections.map((connection) => answerOf(connection, request));
      await new Promise((resolve) => setTimeout(resolve, torment.random.between(0, 60)));
      await server.kill();
      const before = (await Promise.all(first)).filter((answer) => answer !== undefined);
      cutOff += PARALLEL - before.length;

      server = await ServerProcess.start({ folder });
      recoverMs.push(server.startMs);
      const again = await openAll(server);
      const after = (await Promise.all(again.map((connection) => answerOf(connection, request)))).filter((answer) => answer !== undefined);
      const all = [...before, ...after];
      const other = decisionPost({ endpoint: ENDPOINT, token, body: application(RUN, n + 1_000_000).body, key: keyOf(RUN, n) });
      const refused = await answerOf(await HttpConnection.open(server.port), other);
      const bodies = new Set(all.map((answer) => answer.body));
      if (bodies.size !== 1 || all.some(({ status }) => status !== 200))
        failures.push(`request ${n} had ${bodies.size} answers: ${[...bodies].join(" ")}`);
      const fresh = after.filter(({ isReplay }) => !isReplay).length;
      if (before.length > 0 && fresh > 0) failures.push(`request ${n} had been answered, and the retry says it hadn't`);
      if (fresh > 1) failures.push(`request ${n}: ${fresh} of ${PARALLEL} at once say they were the first`);
      if (fresh === 0) recordedBefore++;
      if (after.length !== PARALLEL) failures.push(`request ${n}: ${PARALLEL - after.length} retries had no answer`);
      if (refused?.status !== 422) failures.push(`request ${n} with another body was answered ${refused?.status}, expected 422`);
      answers.push(
        ...all.map(({ status, body: text, isReplay }) => ({
          n,
          dueMs: 0,
          sentMs: 0,
          doneMs: 0,
          status,
          body: text,
          isReplay,
          retryAfter: null,
        })),
      );
    }
    const { acked, wrong } = acknowledgedOf(RUN, answers);
    const found = await inspect(folder, acked, true);
    await server.kill();
    failures.push(...found.failures);
    if (found.decisions !== rounds) failures.push(`${rounds} requests, ${found.decisions} decisions`);
    const note = `${answers.length} equal answers to ${rounds} requests; ${cutOff} cut off; ${recordedBefore} were recorded when the server was killed`;
    const { lost, doubled, tallyOff } = found;
    return {
      kind: "fault",
      runs: rounds,
      injected: rounds,
      acked: acked.length,
      lost,
      doubled,
      wrong: wrong + found.wrong,
      tallyOff,
      serverErrors: 0,
      recoverMs,
      note,
      failures,
    };
  },
};

const openAll = (server: ServerProcess) => Promise.all(Array.from({ length: PARALLEL }, () => HttpConnection.open(server.port)));

async function answerOf(connection: HttpConnection, request: Buffer): Promise<Answer | undefined> {
  try {
    return await connection.send(request);
  } catch (error) {
    if (error instanceof NoAnswer) return undefined;
    throw error;
  } finally {
    connection.close();
  }
}
