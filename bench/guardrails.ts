/**
 * How guardrails do on simulated releases, and in the real server: `npm run bench:guardrails -- [--lives N] [--decisions N] [--seed S]
 * [--threads N] [--no-live] [--live-repetitions N] [--json]`; the second part alone is `node bench/harm-live.ts`. The full form (2,000 lives
 * of 1,000,000 decisions) takes many minutes; seeds make every figure but costs and times the same again.
 */
import { parseArgs } from "node:util";
import { simulate } from "./guardrails/simulate.ts";
import { reportText } from "./guardrails/text.ts";
import { liveText } from "./harm-live/report.ts";
import { harmLive } from "./harm-live/run.ts";

const { values } = parseArgs({
  allowNegative: true,
  options: {
    live: { type: "boolean", default: true },
    "live-repetitions": { type: "string", default: "3" },
    lives: { type: "string", default: "2000" },
    decisions: { type: "string", default: "1000000" },
    seed: { type: "string", default: "20261130" },
    threads: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
  throw new Error(`--${name} takes a whole number above 0, not "${text}"`);
}

const report = await simulate({
  lives: whole("lives", values.lives),
  decisions: whole("decisions", values.decisions),
  seed: whole("seed", values.seed),
  ...(values.threads === undefined ? {} : { width: whole("threads", values.threads) }),
  onProgress(done, all) {
    if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${all} pieces${done === all ? "\n" : ""}`);
  },
});
const repetitions = whole("live-repetitions", values["live-repetitions"]);
const live = values.live ? await harmLive({ repetitions, seed: report.seed, connections: 32, rounds: 7, seconds: 2 }) : null;
console.log(values.json ? JSON.stringify({ ...report, live }) : [reportText(report), ...(live ? ["", liveText(live)] : [])].join("\n"));
process.exitCode = [...report.bars, ...(live?.bars ?? [])].every(({ isReached }) => isReached) ? 0 : 1;
