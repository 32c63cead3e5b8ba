/** F15: whoever asked hangs up before the answer, at any moment: nothing, or the whole decision, is recorded, and its key finds it. */
import { connect } from "node:net";
import { join } from "node:path";
import { ENDPOINT, application } from "./applications.ts";
import type { Case, Survived } from "./case.ts";
import { HttpConnection, decisionPost } from "./http-client.ts";
import type { Sent } from "./load-order.ts";
import { ServerProcess } from "./server-process.ts";
import { survivedAs } from "./survived.ts";
import { copyOf, keyOf } from "./victim-world.ts";

const RUN = "f15";
const GONE_WITHIN_MS = 50;
const AT_ONCE = 20;

export const clientGone: Case = {
  id: "F15",
  title: "client gone mid-request, 0 to 50 ms",
  section: "fault",
  cannot: () => undefined,
  async run(torment): Promise<Survived> {
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(torment.folder(), "data"));
    const people = torment.isShort ? 200 : 2000;
    const server = await ServerProcess.start({ folder });
    const requestOf = (n: number) => decisionPost({ endpoint: ENDPOINT, token, body: application(RUN, n).body, key: keyOf(RUN, n) });
    for (let n = 0; n < people; n += AT_ONCE)
      await Promise.all(
        Array.from({ length: AT_ONCE }, (_, i) => {
          // Some break off in the middle of what they send.
          const request = requestOf(n + i);
          const bytes = torment.random.next() < 0.2 ? request.subarray(0, torment.random.between(1, request.length - 1)) : request;
          return goneAfter(server.port, bytes, torment.random.between(0, GONE_WITHIN_MS));
        }),
      );
    const connection = await HttpConnection.open(server.port);
    const [sent, failures]: [Sent[], string[]] = [[], []];
    for (let n = 0; n < people; n++) {
      const answer = await connection.send(requestOf(n));
      sent.push({ n, dueMs: 0, sentMs: 0, doneMs: 0, ...answer });
      if (answer.status !== 200 && failures.length === 0) failures.push(`the retry of ${n} was answered ${answer.status}: ${answer.body}`);
    }
    connection.close();
    const replays = sent.filter(({ isReplay }) => isReplay).length;
    if (replays === 0 || replays === people)
      failures.push(`${replays} of ${people} had been recorded before: no moment in between was met`);
    const note = `${replays} had been recorded when their client was gone, and were found by their key; ${people - replays} had not`;
    const survived = await survivedAs(
      { run: RUN, folder, isLive: true, sent },
      { runs: people, injected: people, recoverMs: [], note, failures },
    );
    await server.kill();
    return survived;
  },
};

/** Sends, waits for so long whatever comes, and is gone without a goodbye. */
function goneAfter(port: number, bytes: Buffer, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.setNoDelay(true);
      socket.write(bytes);
      socket.resume();
      setTimeout(() => {
        socket.resetAndDestroy();
        resolve();
      }, ms);
    });
  });
}
