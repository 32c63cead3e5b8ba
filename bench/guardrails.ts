/**
 * How guardrails do on simulated releases: `npm run bench:guardrails -- [--lives N] [--decisions N] [--seed S] [--threads N] [--json]`.
 * The full form (2,000 lives of 1,000,000 decisions) takes many minutes; seeds make every figure but costs the same again.
 */
import { parseArgs } from "node:util";
import { simulate } from "./guardrails/simulate.ts";
import { reportText } from "./guardrails/text.ts";

const { values } = parseArgs({
  options: {
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
console.log(values.json ? JSON.stringify(report) : reportText(report));
process.exitCode = report.bars.every(({ isReached }) => isReached) ? 0 : 1;
