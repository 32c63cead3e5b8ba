/** F13: far more connections than the process has descriptors for: a rollback gets in, nobody is half answered, and it is over when they go. */
import { join } from "node:path";
import { Asking } from "./asking.ts";
import type { Case, Survived } from "./case.ts";
import type { Sent } from "./load-order.ts";
import { ServerProcess } from "./server-process.ts";
import { survivedAs } from "./survived.ts";
import { missing } from "./tools.ts";
import { copyOf } from "./victim-world.ts";

const RUN = "f13";
const DESCRIPTORS = 128;
const CLIENTS = 500;

export const connectionFlood: Case = {
  id: "F13",
  title: `${CLIENTS} clients, ${DESCRIPTORS} descriptors`,
  section: "fault",
  cannot: () => missing("prlimit"),
  async run(torment): Promise<Survived> {
    const { folder: prepared, token } = await torment.prepared();
    const folder = copyOf(prepared, join(torment.folder(), "data"));
    const rounds = torment.isShort ? 1 : 5;
    const server = await ServerProcess.start({ folder, under: ["prlimit", `--nofile=${DESCRIPTORS}`] });
    const [sent, switchedMs, recoverMs, failures]: [Sent[], number[], number[], string[]] = [[], [], [], []];
    const command = async (verb: string, body: object) => {
      const startedMs = performance.now();
      await server.control.post(`/v1/endpoints/loans/${verb}`, { reason: "torture", ...body });
      switchedMs.push(performance.now() - startedMs);
    };
    let firstRun: string | undefined;
    for (let round = 0; round < rounds; round++) {
      // One applicant each, who stays connected; those that the server has no room for are let go by it.
      const clients = Array.from({ length: CLIENTS }, async (_, i) => {
        const client = await Asking.open({ port: server.port, token, run: `${RUN}-${round}-${i}`, connections: 1 }).catch(() => undefined);
        const answer = await client?.one();
        return { client, answer, run: `${RUN}-${round}-${i}` };
      });
      await command("rollback", { condemn: false });
      await command("promote", { release: "r3" });
      const all = await Promise.all(clients);
      await command("rollback", { condemn: false });
      await command("promote", { release: "r3" });
      const answered = all.filter(({ answer }) => answer?.status === 200).length;
      if (answered === 0) failures.push("nobody was answered");
      if (answered === CLIENTS) failures.push("everybody was answered: nothing was tried");
      const odd = all.find(({ answer }) => answer !== undefined && ![0, 200, 503].includes(answer.status))?.answer;
      if (odd) failures.push(`somebody was answered ${odd.status}: ${odd.body}`);
      torment.say(`round ${round + 1}: ${answered} of ${CLIENTS} answered`);
      for (const { client } of all) client?.close();
      const sinceMs = performance.now();
      const after = await whenLetIn({ port: server.port, token, run: `${RUN}-${round}-after`, connections: 8 });
      recoverMs.push(performance.now() - sinceMs);
      sent.push(...after.all);
      firstRun ??= after.run;
      after.close();
      if (!server.isRunning) failures.push(`the server ended: ${server.said}`);
    }
    const worst = Math.max(...switchedMs);
    const note = `rollback and promotion over the control socket during the flood at most ${worst.toFixed(0)} ms`;
    const survived = await survivedAs(
      { run: firstRun ?? RUN, folder, isLive: true, sent: sent.slice(0, 40) },
      { runs: rounds, injected: rounds * CLIENTS, recoverMs, note, failures },
    );
    await server.kill();
    return survived;
  },
};

/** Once the server has room again. @returns applicants of whom each connection has been answered five times */
async function whenLetIn(options: Parameters<typeof Asking.open>[0]): Promise<Asking & { readonly run: string }> {
  for (let tries = 0; ; tries++) {
    // Other people each time: some of those before were answered.
    const run = `${options.run}-${tries}`;
    const asking = Object.assign(await Asking.open({ ...options, run }), { run });
    const answers = await asking.many(40);
    if (answers.every(({ status }) => status === 200) || tries === 50) return asking;
    asking.close();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
