/**
 * `npm run demo`: the story of the README on real data, start to end.
 * `-- --json` prints one JSON object instead · `--keep` leaves the server running · `--simulated` runs in one process on a clock of its own ·
 * `--seed <n>` another split and other people · `--rate <n>` applications a second · `--data <folder>` · `--port <n>`
 */
import { parseArgs } from "node:util";
import { playStory } from "./story.ts";
import { teller } from "./teller.ts";
import { realWorld, simulatedWorld } from "./world.ts";

const { values } = parseArgs({
  options: {
    json: { type: "boolean" },
    keep: { type: "boolean" },
    simulated: { type: "boolean" },
    seed: { type: "string", default: "7" },
    rate: { type: "string", default: "200" },
    data: { type: "string" },
    port: { type: "string", default: "0" },
  },
});
const number = (name: "seed" | "rate" | "port") => {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} takes a whole number, not "${values[name]}"`);
  return value;
};

const tell = teller(process.stderr);
const options = { seed: number("seed"), perSecond: Math.max(1, number("rate")), folder: values.data, port: number("port") };
const world = await (values.simulated ? simulatedWorld(options) : realWorld(options));
tell.fact(`Evenkeel is up at ${world.url}`);
const keep = (values.keep ?? false) && !values.simulated;
try {
  const result = await playStory(world, tell, options.seed);
  if (values.json) console.log(JSON.stringify(result, null, 2));
  else tell.fact(`done in ${result.seconds} s`);
  if (keep) tell.fact(`the server goes on at ${world.url} (data in ${world.folder}); sign in with ${world.analystToken}`);
  // A demo that tells of a failed request, or of a chain that isn't whole, has failed.
  if (result.failedRequests > 0 || !result.auditVerified || !result.rollback.automatic) process.exitCode = 1;
} finally {
  await world.end(keep);
}
