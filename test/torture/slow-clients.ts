/** F14: hundreds who send their headers or bodies a byte at a time, or never read: they are let go, and honest people notice nothing. */
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { Asking } from "./asking.ts";
import { ENDPOINT, application } from "./applications.ts";
import type { Case, Survived } from "./case.ts";
import { quantile } from "./chance.ts";
import { decisionPost } from "./http-client.ts";
import { ServerProcess } from "./server-process.ts";
import { survivedAs } from "./survived.ts";
import { copyOf } from "./victim-world.ts";

const RUN = "f14";
const SLOW = 300;
const DRIP_MS = 500;
/** A header has 5 s, a body 15 s, looked at once a second; the rest is for a busy machine. */
const LET_GO_WITHIN_MS = { headers: 9000, body: 19_000 } as const;
const SETTLE_MS = 6000;
const MEMORY_MB = 150;

type Kind = "headers" | "body" | "reading";

export const slowClients: Case = {
  id: "F14",
  title: `${SLOW} clients slow to send or to read`,
  section: "fault",
  cannot: () => undefined,
  async run(torment): Promise<Survived> {
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(torment.folder(), "data"));
    const kinds: readonly Kind[] = torment.isShort ? ["headers"] : ["headers", "body", "reading"];
    const server = await ServerProcess.start({ folder });
    const asking = await Asking.open({ port: server.port, token, run: RUN, connections: 4 });
    const waits = (all: readonly { readonly sentMs: number; readonly doneMs: number }[]) =>
      quantile(
        all.map(({ sentMs, doneMs }) => doneMs - sentMs),
        0.99,
      ) ?? Number.NaN;
    await asking.many(200);
    const usual = waits(await asking.many(400));
    // Honest requests alone make V8's heaps grow to what they need: that isn't the slow ones' doing.
    const settling = asking.onAndOn();
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    await settling();
    const [heldMs, failures, notes]: [number[], string[], string[]] = [[], [], []];
    for (const kind of kinds) {
      const beforeMb = server.rssMb();
      const slow = Array.from({ length: SLOW }, (_, i) => new SlowClient(server.port, kind, token, i));
      const stop = asking.onAndOn();
      if (kind === "reading") await new Promise((resolve) => setTimeout(resolve, 5000));
      else {
        const held = await Promise.all(slow.map(({ endedMs }) => endedMs));
        heldMs.push(...held);
        const most = Math.max(...held);
        if (most > LET_GO_WITHIN_MS[kind]) failures.push(`slow ${kind}: a connection was held for ${most.toFixed(0)} ms`);
      }
      const answers = await stop();
      for (const one of slow) one.end();
      const grownMb = server.rssMb() - beforeMb;
      if (grownMb > MEMORY_MB) failures.push(`slow ${kind}: the server grew by ${grownMb.toFixed(0)} MB`);
      const unanswered = answers.filter(({ status }) => status !== 200).length;
      if (unanswered > 0) failures.push(`slow ${kind}: ${unanswered} honest requests had no decision`);
      notes.push(`${kind} ${waits(answers).toFixed(1)} ms`);
    }
    asking.close();
    const survived = await survivedAs(
      { run: RUN, folder, isLive: true, sent: asking.all },
      {
        runs: kinds.length,
        injected: kinds.length * SLOW,
        recoverMs: heldMs,
        note: `honest p99 before ${usual.toFixed(1)} ms, with slow ${notes.join(", with slow ")}; "recover": until a slow one was let go`,
        failures,
      },
    );
    await server.kill();
    return survived;
  },
};

class SlowClient {
  /** Resolves when the server has let it go, with how long that took. */
  readonly endedMs: Promise<number>;
  readonly #socket: Socket;

  constructor(port: number, kind: Kind, token: string, n: number) {
    const request = decisionPost({ endpoint: ENDPOINT, token, body: application(`slow-${kind}`, n).body, key: null });
    const bodyAt = request.indexOf("\r\n\r\n") + 4;
    const startedMs = performance.now();
    const socket = connect(port, "127.0.0.1");
    this.#socket = socket;
    // The answer to a slow one is read, so that its end is seen.
    if (kind !== "reading") socket.resume();
    socket.on("error", () => undefined);
    let at = kind === "body" ? bodyAt : 40;
    const drip = () => {
      // Never the last byte: it would be a request.
      if (at < (kind === "body" ? request.length : bodyAt) - 1) socket.write(request.subarray(at, ++at));
    };
    let timer: NodeJS.Timeout | undefined;
    socket.once("connect", () => {
      if (kind === "reading") {
        socket.pause();
        socket.write("GET /openapi.json HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".repeat(20));
      } else {
        socket.write(request.subarray(0, at));
        timer = setInterval(drip, DRIP_MS);
      }
    });
    this.endedMs = new Promise((resolve) =>
      socket.once("close", () => {
        clearInterval(timer);
        resolve(performance.now() - startedMs);
      }),
    );
  }
  end(): void {
    this.#socket.destroy();
  }
}
