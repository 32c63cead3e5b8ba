/** What the faults of the disk have in common: a server on a folder of its own, applicants, and what must hold afterwards. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { NewTokenView } from "../../src/api/index.ts";
import { EvenkeelClient } from "../../src/client.ts";
import type { Survived, Torment } from "./case.ts";
import { startLoad, type LoadReport, type RunningLoad, type Sent } from "./load-order.ts";
import { ServerProcess } from "./server-process.ts";
import { survivedAs } from "./survived.ts";
import { copyOf } from "./victim-world.ts";

export const RUN = "disk";
export const SYNCS = "fsync,fdatasync";
/** Of the machine's monotonic clock, as all times of the load are. */
export const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function begin(
  torment: Torment,
  where?: string,
): Promise<{ readonly folder: string; readonly token: string; readonly server: ServerProcess }> {
  const { folder: prepared, token } = await torment.prepared();
  const root = where ?? torment.folder();
  mkdirSync(root, { recursive: true });
  const folder = copyOf(prepared, join(root, "data"));
  return { folder, token, server: await ServerProcess.start({ folder }) };
}

/** Decisions that a reader without `protected:read` gets: a read of protected fields has to be noted first, which needs room. */
export async function readerOf({ control, port }: ServerProcess): Promise<{ read(): Promise<number>; close(): Promise<void> }> {
  const { token } = await control.post<NewTokenView>("/v1/tokens", { name: "reader", role: "analyst" });
  const client = new EvenkeelClient({ url: `http://127.0.0.1:${port}`, token, timeoutMs: 10_000 });
  return {
    async read() {
      const page = await client.get<{ readonly decisions: readonly unknown[] }>("/v1/endpoints/loans/decisions", { limit: 5 });
      return page.decisions.length;
    },
    close: () => client.close(),
  };
}

export function load(server: ServerProcess, token: string, perSecond: number, durationMs: number): RunningLoad {
  return startLoad({ port: server.port, token, connections: 64, run: RUN, first: 0, durationMs, perSecond });
}

/** The case's row: what the log must hold, whatever went wrong with the disk, is looked at beside the server, where it still runs. */
export const settle = (folder: string, { sent }: LoadReport, isLive: boolean, own: Parameters<typeof survivedAs>[1]): Promise<Survived> =>
  survivedAs({ run: RUN, folder, isLive, sent }, own);
export const serverErrors = ({ sent }: LoadReport) => sent.filter(({ status }) => status >= 500).length;

export const oddStatuses = ({ sent }: LoadReport, allowed: readonly number[]): string[] => {
  const odd = sent.find(({ status }) => !allowed.includes(status));
  return odd ? [`request ${odd.n} was answered ${odd.status}: ${odd.body}`] : [];
};

/** From `sinceMs` until the first request that was sent afterwards and answered with 200. */
export const recoveredMs = (sent: readonly Sent[], sinceMs: number): number | undefined => {
  const first = sent.filter(({ status, sentMs }) => status === 200 && sentMs >= sinceMs).toSorted((a, b) => a.doneMs - b.doneMs)[0];
  return first && first.doneMs - sinceMs;
};
