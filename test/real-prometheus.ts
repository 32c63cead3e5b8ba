/** The real Prometheus and Alertmanager of ../shared/services, where they are: for tests of what they make of us. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SCRIPT = fileURLToPath(new URL("../../shared/services/prometheus", import.meta.url));

const isThere = existsSync(SCRIPT) && process.getuid?.() === 0;
if (!isThere) process.stderr.write("tests with the real Prometheus don't run: ../shared/services isn't there, or this isn't root\n");
export const hasPrometheus = isThere;

export interface RealPrometheus {
  readonly url: string;
  readonly alertmanager: string;
  /** What an expression gives now. @throws Error for one that Prometheus refuses */
  query(expr: string): Promise<readonly Found[]>;
  down(): Promise<void>;
}
export interface Found {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Starts both, on ports and in a folder of their own; scrapes and evaluates every second. */
export async function startPrometheus(options: {
  readonly target: string;
  readonly token: string;
  readonly rules: readonly string[];
  readonly webhook: string;
}): Promise<RealPrometheus> {
  const name = `evenkeel-${process.pid}`;
  const run = async (...words: readonly string[]) =>
    (await promisify(execFile)(SCRIPT, [...words, "--name", name], { timeout: 150_000 })).stdout.trim();
  const { target, token, rules, webhook } = options;
  const settings = [`target=${target}`, `token=${token}`, `webhook=${webhook}`, ...rules.map((file) => `rules=${file}`)];
  const url = await run("up", ...settings);
  return {
    url,
    alertmanager: await run("url", "alertmanager"),
    async query(expr) {
      const answer = await fetch(`${url}/api/v1/query`, { method: "POST", body: new URLSearchParams({ query: expr }) });
      const said = asAnswer(await answer.json());
      if (said.status !== "success") throw new Error(`${expr}: ${said.error ?? answer.status}`);
      return (said.data?.result ?? []).map(({ metric, value: [, text] }) => ({ metric, value: Number(text) }));
    },
    async down() {
      await run("down");
    },
  };
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: {
    readonly result: readonly { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] }[];
  };
}
/** Prometheus' API of queries, version 1; vectors only. */
const asAnswer = (value: unknown): Answer => value as Answer;
