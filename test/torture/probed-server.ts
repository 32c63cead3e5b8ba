/** A server that tells how long its serving thread was held up. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ServerProcess } from "./server-process.ts";

export interface Lags {
  readonly p99Ms: number;
  readonly maxMs: number;
}
const asLags = (text: string): Lags => JSON.parse(text) as Lags;

export interface ProbedServer {
  readonly server: ServerProcess;
  /** Since the last call. */
  readonly lags: () => Promise<Lags>;
}

/**
 * @param scratch - a folder for the probe's own file
 * @param under - what starts it, such as `taskset`
 */
export async function startProbed(folder: string, scratch: string, under: readonly string[] = []): Promise<ProbedServer> {
  const file = join(scratch, "lags.json");
  const env = { EVENKEEL_TORTURE_LAGS: file, NODE_OPTIONS: `--import=${new URL("./lag-probe.ts", import.meta.url).href}` };
  const server = await ServerProcess.start({ folder, env, under });
  return {
    server,
    async lags() {
      rmSync(file, { force: true });
      process.kill(server.pid, "SIGUSR2");
      for (let tries = 0; tries < 100; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (existsSync(file)) {
          const text = readFileSync(file, "utf8");
          if (text.endsWith("}")) return asLags(text);
        }
      }
      throw new Error("the server's probe doesn't answer");
    },
  };
}
