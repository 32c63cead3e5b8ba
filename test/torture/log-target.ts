/** F8: whoever read what the server says is gone, or its disk is full: it says nothing any more, and goes on. */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { EvenkeelClient } from "../../src/client.ts";
import { Asking } from "./asking.ts";
import type { Case, Survived } from "./case.ts";
import type { Sent } from "./load-order.ts";
import { BINARY } from "./server-process.ts";
import { survivedAs } from "./survived.ts";
import { copyOf } from "./victim-world.ts";

const RUN = "f8";
const UP_WITHIN_MS = 30_000;
/** Where its words go, by what a shell is told. `head` reads one line, mostly the only one, and is gone. */
const TARGETS = [
  { name: "to a full disk", redirection: "> /dev/full 2>&1", isFull: true },
  { name: "to head -1", redirection: "2>&1 | head -1 > /dev/null", isFull: false },
] as const;

export const logTarget: Case = {
  id: "F8",
  title: "log target full, gone",
  section: "fault",
  cannot: () => (existsSync("/dev/full") ? undefined : "no /dev/full"),
  async run(torment): Promise<Survived> {
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(torment.folder(), "data"));
    const [sent, recoverMs, failures]: [Sent[], number[], string[]] = [[], [], []];
    const requests = torment.isShort ? 200 : 2000;
    let n = 0;
    for (const { name, redirection, isFull } of TARGETS) {
      const startedMs = performance.now();
      const server = await startSilent(folder, redirection);
      recoverMs.push(performance.now() - startedMs);
      const run = `${RUN}-${n++}`;
      const asking = await Asking.open({ port: server.port, token, run, connections: 8 });
      // Bad requests and a release that can't be made are what it might say something about.
      await server.control.post("/v1/endpoints/loans/releases", { nonsense: true }).catch(() => undefined);
      await asking.many(requests);
      asking.close();
      const unanswered = asking.all.filter(({ status }) => status !== 200).length;
      if (unanswered > 0) failures.push(`${name}: ${unanswered} of ${requests} had no decision`);
      sent.push(...asking.all.map((one) => ({ ...one, run })));
      if (isFull && !((await server.dropped()) > 0)) failures.push(`${name}: evenkeel_log_dropped_total counts nothing`);
      // Stopping says so, into the void.
      const code = await server.stop();
      if (code !== "gone") failures.push(`${name}: the server doesn't stop`);
      const survived = await survivedAs(
        { run, folder, isLive: false, sent: asking.all },
        { runs: 0, injected: 0, recoverMs: [], note: "", failures: [] },
      );
      failures.push(...survived.failures.map((failure) => `${name}: ${failure}`));
    }
    return survivedAs(
      { run: `${RUN}-0`, folder, isLive: false, sent: sent.slice(0, requests) },
      { runs: n, injected: n, recoverMs, note: `${sent.length} decisions meanwhile; "recover": until it was up`, failures },
    );
  },
};

interface Silent {
  readonly port: number;
  readonly control: EvenkeelClient;
  /** Lines that nobody could be told, as its metrics say. */
  dropped(): Promise<number>;
  stop(): Promise<"gone" | "still there">;
}

/** Starts a server that can't tell where it listens. */
async function startSilent(folder: string, redirection: string): Promise<Silent> {
  const port = await freePort();
  // The shell is gone as soon as it has started both: what is left is what a daemon is.
  spawn("sh", ["-c", `"$0" "$1" up --data "$2" --port "$3" ${redirection} &`, process.execPath, BINARY, folder, String(port)], {
    stdio: "ignore",
  });
  const untilMs = performance.now() + UP_WITHIN_MS;
  const isUp = async () => {
    try {
      return (await fetch(`http://127.0.0.1:${port}/healthz/ready`)).status === 200;
    } catch {
      return false;
    }
  };
  while (!(await isUp())) {
    if (performance.now() > untilMs) throw new Error(`a server whose words go ${redirection} doesn't come up`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const pid = Number(readFileSync(join(folder, "server.pid"), "utf8"));
  const control = new EvenkeelClient({ socket: join(folder, "control.sock"), timeoutMs: 10_000 });
  return {
    port,
    control,
    async dropped() {
      const metrics = (await control.getBytes("/metrics")).toString();
      return Number(/^evenkeel_log_dropped_total (\d+)$/m.exec(metrics)?.[1]);
    },
    async stop() {
      await control.close();
      process.kill(pid, "SIGTERM");
      for (let tries = 0; tries < 300; tries++) {
        if (!existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")) return "gone";
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      process.kill(pid, "SIGKILL");
      return "still there";
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
