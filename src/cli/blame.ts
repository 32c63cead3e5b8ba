import { resolve } from "node:path";
import type { BlameReportView } from "../api/index.ts";
import type { EvenkeelClient } from "../client.ts";
import { spawnExecutor } from "../pipelines/index.ts";
import { makingsOf, retrain, type RecordedMakings } from "../retraining.ts";
import { systemRuntime } from "../store/index.ts";
import { points } from "./format.ts";
import { styled, table, type Io } from "./io.ts";
import { UsageError, incidentNumber, verb } from "./verb.ts";

export const blame = verb({
  name: "blame",
  help: `say which step moved the harm of an incident

usage: evenkeel blame <incident>
       evenkeel blame <incident> --retrain [--in <folder>] --yes

Shares are differences of selection rates in points, with 95 % intervals. Without a retraining, the model is one block.

  --retrain  tells the model's steps apart: trains every mixture of the two releases' making, as their runs recorded it, on this machine,
             and has the server judge the mixtures. Needs what the pipelines need (programs, packages), and some minutes
  --in       a folder inside the project whose packages the steps use (default: this one)
  --yes      runs the commands; without it they are shown, with whoever recorded them

examples:
  evenkeel blame 1
  evenkeel blame 1 --retrain --in examples/loans --yes`,
  words: 1,
  options: { retrain: { type: "boolean" }, in: { type: "string" }, yes: { type: "boolean" } },
  async run({ positionals: [word], values }, { client, io, cwd }) {
    if (!word) throw new UsageError("which incident? `evenkeel incidents` lists them");
    const n = incidentNumber(word);
    if (values.retrain) {
      const makings = await makingsOf(client(), n);
      if (!makings.ok) {
        io.note(`evenkeel blame ${n}: ${makings.error}`);
        return 1;
      }
      if (!values.yes) {
        io.note(commandsText(io, makings.value));
        return 1;
      }
      await trainAgain(client(), { incident: n, makings: makings.value, folder: resolve(cwd, values.in ?? ".") }, io);
    } else if (values.yes || values.in) throw new UsageError("--in and --yes go with --retrain");
    const { reports } = await client().get<{ readonly reports: readonly BlameReportView[] }>(`/v1/incidents/${n}/blame`);
    if (values.json) io.out(JSON.stringify(reports));
    else if (reports.length === 0) io.out("no report yet: nothing was put back to compare with, or it is being made");
    else io.out(reports.map((report) => reportText(io, report)).join("\n\n"));
    return 0;
  },
});

/** The commands came from the server, written by whoever recorded the runs. They get this user's rights: so they are shown before. */
function commandsText(io: Io, { good, bad }: RecordedMakings): string {
  const parts = [good, bad].flatMap(({ release, run, recordedBy, recipe }) => [
    `${styled(io, "bold", release)}, run ${run}, recorded by ${recordedBy}:`,
    ...recipe.steps.map(({ name, cmd }) => `  ${name.padEnd(10)} ${cmd}`),
  ]);
  return [...parts, "These commands, with the code that was recorded with them, would run on this machine. Add --yes to run them."].join(
    "\n",
  );
}

interface Retraining {
  readonly incident: number;
  readonly makings: RecordedMakings;
  readonly folder: string;
}

async function trainAgain(client: EvenkeelClient, { incident, makings, folder }: Retraining, io: Io): Promise<void> {
  const kitchen = { client, folder, execute: spawnExecutor, clock: systemRuntime().clock };
  const onProgress = (done: number, total: number) =>
    io.progress(done === total ? "the server judges them" : `${done} of ${total} mixtures trained`, done, total);
  const { mixtures } = await retrain(kitchen, { incident, makings, judge: client, onProgress });
  io.progress(undefined);
  io.note(`${mixtures} mixtures trained and judged`);
}

function reportText(io: Io, { tier, parts, unexplained, verdict, notes }: BlameReportView): string {
  const rows = parts.map((part) => [part.step, points(part.share), `${points(part.low)} to ${points(part.high)}`]);
  const rest = unexplained === null ? [] : [["not explained", points(unexplained), ""]];
  return [
    styled(io, "bold", tier === 0 ? "from the recorded decisions alone" : "by training every mixture again"),
    table(io, ["step", "share", "95 %"], [...rows, ...rest]),
    verdict,
    ...notes.map((note) => styled(io, "dim", `note: ${note}`)),
  ].join("\n");
}
