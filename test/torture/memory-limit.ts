/**
 * F12: memory runs out. Before it does, batches are refused and single decisions go on; when the system kills the server all the same, what
 * it had acknowledged is there when it is back.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EvenkeelClient, EvenkeelProblem } from "../../src/client.ts";
import { ENDPOINT, application } from "./applications.ts";
import type { Case, Survived } from "./case.ts";
import { startLoad, type Sent } from "./load-order.ts";
import { ServerProcess } from "./server-process.ts";
import { survivedAs } from "./survived.ts";
import { MEMORY_CGROUPS, missing } from "./tools.ts";
import { copyOf } from "./victim-world.ts";

const RUN = "f12";
/** Some 60 MB above what it takes when it idles: batches fill it within seconds. */
const LIMIT_BYTES = 256 * 2 ** 20;
const BATCH = 1000;
const PRESSED_MS = 8000;
const KILLED_WITHIN_MS = 20_000;

export const memoryLimit: Case = {
  id: "F12",
  title: "short of memory, then killed for want of it",
  section: "fault",
  cannot: () => missing("root", "memory cgroup"),
  async run(torment): Promise<Survived> {
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(torment.folder(), "data"));
    const rounds = torment.isShort ? 1 : 5;
    const [sent, recoverMs, failures]: [Sent[], number[], string[]] = [[], [], []];
    const pressed: Pressed = { taken: 0, refused: 0 };
    let [first, early] = [0, 0];
    let ends = "";
    for (let round = 0; round < rounds; round++) {
      const group = new MemoryGroup(`evenkeel-torture-${process.pid}-${round}`);
      group.limit(LIMIT_BYTES);
      const server = await ServerProcess.start({ folder, under: group.starter });
      const load = startLoad({ port: server.port, token, connections: 8, run: RUN, first, durationMs: 60_000, perSecond: 200 });
      await load.sending;
      const pressing = press(server, token, round, pressed);
      await Promise.race([server.ended, sleep(PRESSED_MS)]);
      // A batch that was let in may still be one too many.
      if (!server.isRunning) early++;
      const hog = group.hog(server.pid);
      const how = await Promise.race([server.ended, sleep(KILLED_WITHIN_MS, null)]);
      hog.kill("SIGKILL");
      if (how === null) {
        failures.push(`the server wasn't killed within ${KILLED_WITHIN_MS} ms: nothing was tried`);
        await server.kill();
      } else {
        ends = String(how);
        await server.control.close();
      }
      const report = await load.report;
      first = report.next;
      sent.push(...report.sent);
      const odd = report.sent.find(({ status }) => ![0, 200].includes(status));
      if (odd) failures.push(`a single decision was answered ${odd.status}: ${odd.body}`);
      await pressing;
      await group.remove();
      const back = await ServerProcess.start({ folder });
      recoverMs.push(back.startMs);
      await back.kill();
    }
    if (pressed.refused === 0) failures.push("no batch was refused: memory never ran short");
    const { taken, refused } = pressed;
    return survivedAs(
      { run: RUN, folder, isLive: false, sent },
      {
        runs: rounds,
        injected: rounds,
        recoverMs,
        note: `ended with ${ends}; before, ${refused} batches of ${BATCH} refused for want of memory, ${taken} taken; ${early} of ${rounds} killed by a batch`,
        failures,
      },
    );
  },
};

interface Pressed {
  taken: number;
  refused: number;
}

/** Batches side by side, until the server is gone. */
async function press(server: ServerProcess, token: string, round: number, pressed: Pressed): Promise<void> {
  const client = new EvenkeelClient({ url: server.url, token });
  let n = 0;
  const batch = () => ({
    applications: Array.from({ length: BATCH }, (): unknown => JSON.parse(application(`${RUN}-batch-${round}`, n++).body)),
  });
  const one = async () => {
    while (server.isRunning)
      await client.post(`/v1/endpoints/${ENDPOINT}/decisions/batch`, batch()).then(
        () => void pressed.taken++,
        (error: unknown) => {
          if (error instanceof EvenkeelProblem && error.message.includes("short of memory")) pressed.refused++;
          return sleep(20);
        },
      );
  };
  await Promise.all([one(), one(), one(), one()]);
  await client.close();
}

/** Processes that may have so much memory together. */
class MemoryGroup {
  readonly #path: string;
  readonly #isV1: boolean;

  constructor(name: string) {
    this.#path = join(MEMORY_CGROUPS, name);
    mkdirSync(this.#path);
    this.#isV1 = existsSync(join(this.#path, "memory.limit_in_bytes"));
  }
  /** What makes whatever it starts one of them. */
  get starter(): readonly string[] {
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', this.#path];
  }
  limit(bytes: number): void {
    writeFileSync(join(this.#path, this.#isV1 ? "memory.limit_in_bytes" : "memory.max"), String(bytes));
  }
  /** A process among them that takes all there is, at the expense of another. */
  hog(victim: number): ChildProcess {
    if (existsSync(`/proc/${victim}`)) writeFileSync(`/proc/${victim}/oom_score_adj`, "1000");
    const [program = "sh", ...words] = this.starter;
    return spawn(program, [...words, "tail", "/dev/zero"], { stdio: "ignore" });
  }
  /** Once all of them are gone. */
  async remove(): Promise<void> {
    for (let tries = 0; readFileSync(join(this.#path, "cgroup.procs"), "utf8") !== "" && tries < 100; tries++) await sleep(20);
    rmdirSync(this.#path);
  }
}
