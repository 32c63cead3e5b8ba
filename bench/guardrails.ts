/**
 * How guardrails do on simulated releases, fair, harmful and gamed; `npm run bench:guardrails -- --help` says how. The full form (2,000 lives of
 * 1,000,000 decisions) takes many minutes; the seed makes every figure but those of time the same again, whatever the number of threads.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { ProgressLine } from "./guardrails/progress.ts";
import { simulate } from "./guardrails/simulate.ts";
import { reportText } from "./guardrails/text.ts";

const HELP = `How guardrails do on simulated releases: fair ones, harmful ones, and people who game them.

npm run bench:guardrails -- [options]

  --lives N       simulated lives of each scenario (2000; a tenth and some for the longest)
  --decisions N   decisions of a life (1000000)
  --seed S        makes every figure but those of time (20261130)
  --threads N     threads (all cores, ${availableParallelism()} here); 1 leaves the others to others
  --json FILE     writes the report as JSON as well; the table is printed in any case
  --help          this

Prints how far it is and how long it will take on standard error: once a second on a terminal, else twice a minute.
On a machine with other work: nice -n 10 npm run bench:guardrails -- --threads 1 --json guardrails.json
A try: npm run bench:guardrails -- --lives 40 --decisions 20000
Exit code 0: every bar is reached. 1: some are missed, listed at the end. 2: it can't be run so.`;

function read() {
  const { values } = parseArgs({
    options: {
      lives: { type: "string", default: "2000" },
      decisions: { type: "string", default: "1000000" },
      seed: { type: "string", default: "20261130" },
      threads: { type: "string" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { lives, decisions, seed, threads, json, help } = values;
  return {
    help,
    json,
    asked: {
      lives: whole("lives", lives),
      decisions: whole("decisions", decisions),
      seed: whole("seed", seed),
      width: threads === undefined ? availableParallelism() : whole("threads", threads),
    },
  };
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
  throw new Error(`--${name} takes a whole number above 0, not "${text}"`);
}

async function run(): Promise<number> {
  let wanted: ReturnType<typeof read>;
  try {
    wanted = read();
    // Found out now, and not after half an hour.
    if (wanted.json !== undefined && !wanted.help) writeFileSync(wanted.json, "");
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n(--help says what there is)`);
    return 2;
  }
  if (wanted.help) {
    console.log(HELP);
    return 0;
  }
  const progress = new ProgressLine(process.stderr);
  const report = await simulate({ ...wanted.asked, onProgress: (now) => progress.show(now) });
  progress.end();
  if (wanted.json !== undefined) writeFileSync(wanted.json, `${JSON.stringify(report, null, 1)}\n`);
  console.log(reportText(report));
  return report.bars.every(({ isReached }) => isReached) ? 0 : 1;
}

process.exitCode = await run();
