/**
 * `node bench/harm-live.ts`, the second part of `npm run bench:guardrails`: a release that harms a group by a known amount
 * goes live in the real server under load; how many decisions until that is proven, how many ms from there until nobody is answered by it
 * any more; and decisions a second with guardrails on and off, in turn within the same run.
 *   --repetitions <n> (3) a ratio · --seed <n> (7) · --connections <n> (32) · --rounds <n> (7) · --seconds <n> (2) a round · --json
 */
import { parseArgs } from "node:util";
import { liveText } from "./harm-live/report.ts";
import { harmLive } from "./harm-live/run.ts";

const { values } = parseArgs({
  options: {
    repetitions: { type: "string", default: "3" },
    seed: { type: "string", default: "7" },
    connections: { type: "string", default: "32" },
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "2" },
    json: { type: "boolean", default: false },
  },
});

function above(name: string, text: string, isWhole: boolean): number {
  const value = Number(text);
  if (value > 0 && value < 2 ** 31 && (!isWhole || Number.isInteger(value))) return value;
  throw new Error(`--${name} takes a ${isWhole ? "whole " : ""}number above 0, not "${text}"`);
}

const report = await harmLive({
  repetitions: above("repetitions", values.repetitions, true),
  seed: above("seed", values.seed, true),
  connections: above("connections", values.connections, true),
  rounds: above("rounds", values.rounds, true),
  seconds: above("seconds", values.seconds, false),
});
console.log(values.json ? JSON.stringify(report) : liveText(report));
process.exitCode = report.bars.every(({ isReached }) => isReached) ? 0 : 1;
