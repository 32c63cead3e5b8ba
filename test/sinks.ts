/** What tests of sinks share: a lender's endpoint, decisions and outcomes through the API, and reading what was delivered. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { ChangeView, DecisionReplyView, NewTokenView, SinkView } from "../src/api/index.ts";
import { startApp, type AppOptions } from "../src/app.ts";
import { EvenkeelClient } from "../src/client.ts";
import { ENDPOINT, LOANS_YAML, application } from "./torture/applications.ts";

/** The lender's endpoint, with outcomes. */
export const LENDING = `${LOANS_YAML}outcomes: { repaid: { good: true }, defaulted: { good: false } }\n`;

export interface Delivered {
  readonly kind: string;
  readonly id: string;
  readonly seq: number;
  readonly endpoint: string;
  readonly [field: string]: unknown;
}

/** The lines of a sink's files of one stream, in the order of the files. */
export function linesOf(folder: string, sink: string, stream: "decision" | "outcome"): readonly Delivered[] {
  const at = join(folder, "sinks", sink);
  const files = readdirSync(at).filter((name) => name.startsWith(`${stream}s-`));
  return files.toSorted().flatMap((file) =>
    readFileSync(join(at, file), "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line): Delivered => JSON.parse(line)),
  );
}

/** Declares things as an admin. */
export const applied = async (admin: EvenkeelClient, yaml: string): Promise<readonly ChangeView[]> =>
  (await admin.post<{ readonly changes: readonly ChangeView[] }>("/v1/apply", { yaml })).changes;

export const tokenFor = async (admin: EvenkeelClient, role: string): Promise<string> =>
  (await admin.post<NewTokenView>("/v1/tokens", { name: `a ${role}`, role })).token;

/** Decides on so many applicants at once, from the `from`th of a run. @returns ids of the decisions */
export async function decided(client: EvenkeelClient, run: string, count: number, from = 0): Promise<readonly string[]> {
  const replies = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      client.post<DecisionReplyView>(`/v1/endpoints/${ENDPOINT}/decisions`, JSON.parse(application(run, from + i).body)),
    ),
  );
  return replies.map(({ id }) => id);
}

export const told = (client: EvenkeelClient, decisions: readonly string[], value: string) =>
  client.post(`/v1/endpoints/${ENDPOINT}/outcomes`, { outcomes: decisions.map((decision) => ({ decision, value })) });

/** Waits until a sink has nothing left to deliver. @throws Error with how it stands when that takes too long */
export async function caughtUp(admin: EvenkeelClient, name: string, withinMs = 20_000): Promise<SinkView> {
  const untilMs = performance.now() + withinMs;
  for (;;) {
    const sink = await admin.get<SinkView>(`/v1/sinks/${name}`);
    if (sink.lag.decisions === 0 && sink.lag.outcomes === 0) return sink;
    if (performance.now() > untilMs) throw new Error(`${name} didn't catch up: ${JSON.stringify(sink)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Starts the product again on the folder of one that was killed, in this process (which is quicker), and waits as {@link caughtUp} does. */
export async function caughtUpAgain(folder: string, name: string, options: Partial<AppOptions> = {}): Promise<void> {
  const app = await startApp({ folder, port: 0, ...options });
  const control = new EvenkeelClient({ socket: join(folder, "control.sock"), timeoutMs: 10_000 });
  try {
    await caughtUp(control, name);
  } finally {
    await control.close();
    await app.stop();
  }
}
