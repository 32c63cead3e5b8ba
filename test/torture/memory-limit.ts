/** F12: the system kills a server that needs more memory than it may have: what it had acknowledged is there when it is back. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EvenkeelClient } from "../../src/client.ts";
import { ENDPOINT, application } from "./applications.ts";
import type { Case, Survived } from "./case.ts";
import { startLoad, type Sent } from "./load-order.ts";
import { ServerProcess } from "./server-process.ts";
import { survivedAs } from "./survived.ts";
import { MEMORY_CGROUPS, missing } from "./tools.ts";
import { copyOf } from "./victim-world.ts";

const RUN = "f12";
/** Above what it takes when it idles. */
const ROOM_BYTES = 48 * 2 ** 20;
const BATCH = 5000;
const KILLED_WITHIN_MS = 20_000;

export const memoryLimit: Case = {
  id: "F12",
  title: "killed for want of memory, under load",
  section: "fault",
  cannot: () => missing("root", "memory cgroup"),
  async run(torment): Promise<Survived> {
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(torment.folder(), "data"));
    const rounds = torment.isShort ? 1 : 5;
    const [sent, recoverMs, failures]: [Sent[], number[], string[]] = [[], [], []];
    let first = 0;
    let ends = "";
    for (let round = 0; round < rounds; round++) {
      const group = new MemoryGroup(`evenkeel-torture-${process.pid}-${round}`);
      const server = await ServerProcess.start({ folder, under: group.starter });
      const load = startLoad({ port: server.port, token, connections: 8, run: RUN, first, durationMs: 60_000, perSecond: null });
      await load.sending;
      group.limit(group.used() + ROOM_BYTES);
      const pressing = press(server, token, round);
      const how = await Promise.race([server.ended, new Promise<null>((resolve) => setTimeout(() => resolve(null), KILLED_WITHIN_MS))]);
      if (how === null) {
        failures.push(`the server wasn't killed within ${KILLED_WITHIN_MS} ms: nothing was tried`);
        await server.kill();
      } else ends = String(how);
      const report = await load.report;
      first = report.next;
      sent.push(...report.sent);
      await pressing;
      await server.control.close();
      group.remove();
      const back = await ServerProcess.start({ folder });
      recoverMs.push(back.startMs);
      await back.kill();
    }
    return survivedAs(
      { run: RUN, folder, isLive: false, sent },
      { runs: rounds, injected: rounds, recoverMs, note: `ended with ${ends}, batches of ${BATCH} meanwhile`, failures },
    );
  },
};

/** Batches side by side, until the server is gone. */
async function press(server: ServerProcess, token: string, round: number): Promise<void> {
  const client = new EvenkeelClient({ url: server.url, token });
  let n = 0;
  const batch = () => ({
    applications: Array.from({ length: BATCH }, (): unknown => JSON.parse(application(`${RUN}-batch-${round}`, n++).body)),
  });
  const one = async () => {
    while (server.isRunning)
      await client
        .post(`/v1/endpoints/${ENDPOINT}/decisions/batch`, batch())
        .catch(() => new Promise((resolve) => setTimeout(resolve, 20)));
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
  used(): number {
    return Number(readFileSync(join(this.#path, this.#isV1 ? "memory.usage_in_bytes" : "memory.current"), "utf8"));
  }
  limit(bytes: number): void {
    writeFileSync(join(this.#path, this.#isV1 ? "memory.limit_in_bytes" : "memory.max"), String(bytes));
  }
  remove(): void {
    rmdirSync(this.#path);
  }
}
