/** F2x: builds every state that a power cut can leave of the log's files, opens each, and looks whether what was acknowledged is there. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { acknowledged, parseAcks, type Ack } from "./acks.ts";
import type { Case, Control, Survived, Torment } from "./case.ts";
import { spread } from "./chance.ts";
import { crashStates, type CrashState } from "./crash-states.ts";
import { TRACED, readTrace } from "./disk-trace.ts";
import { inspect, type Findings } from "./invariants.ts";
import { startVictim } from "./strace.ts";
import { missing } from "./tools.ts";
import { copyOf, type Breakage } from "./victim-world.ts";

const RUN = "f2x";
const SHORT_STATES = 250;

interface Explored {
  readonly states: number;
  readonly possible: number;
  readonly acked: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  readonly tallyOff: number;
  readonly bad: number;
  readonly failures: readonly string[];
}

async function explore(torment: Torment, breakage: Breakage, limit: number): Promise<Explored> {
  const root = torment.folder();
  const { folder: prepared } = await torment.prepared();
  const trace = join(root, "trace");
  const count = torment.isShort ? 8 : 20;
  const folder = copyOf(prepared, join(root, "data"));
  const { output } = await startVictim({ folder, run: RUN, count, breakage, output: join(root, "acks"), strace: ["-o", trace, ...TRACED] })
    .ended;
  rmSync(folder, { recursive: true });
  const acks = parseAcks(output);
  const operations = readTrace(trace);
  const told = operations.filter(({ kind }) => kind === "ack").length;
  if (told !== acks.length || acks.length !== count) throw new Error(`${acks.length} acknowledgements came, ${told} are in the trace`);
  const all = [...crashStates(prepared, operations)];
  const chosen = spread(all, limit, torment.random);
  const totals = { lost: 0, doubled: 0, wrong: 0, tallyOff: 0, bad: 0 };
  const failures: string[] = [];
  for (const [i, state] of chosen.entries()) {
    const found = await look(join(root, "state"), state, acks);
    totals.lost += found.lost;
    totals.doubled += found.doubled;
    totals.wrong += found.wrong;
    totals.tallyOff += found.tallyOff;
    if (found.failures.length > 0) totals.bad++;
    if (failures.length < 5) for (const failure of found.failures.slice(0, 1)) failures.push(`${state.name}: ${failure}`);
    if (i % 50 === 0) torment.say(`state ${i + 1} of ${chosen.length}`);
  }
  return { states: chosen.length, possible: all.length, acked: count, ...totals, failures };
}

/** A state that can't even be opened has lost everything. */
async function look(
  folder: string,
  state: CrashState,
  acks: readonly Ack[],
): Promise<Pick<Findings, "lost" | "doubled" | "wrong" | "tallyOff" | "failures">> {
  mkdirSync(folder);
  try {
    for (const [name, bytes] of state.files()) writeFileSync(join(folder, name), bytes);
    const known = acks.slice(0, state.acks).map((ack) => acknowledged(RUN, ack));
    return await inspect(folder, known, false);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { lost: state.acks, doubled: 0, wrong: 0, tallyOff: 0, failures: [`the database can't be read: ${why}`] };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export const explorer: Case = {
  id: "F2x",
  title: "crash states, torn and reordered writes",
  section: "fault",
  cannot: () => missing("strace"),
  async run(torment): Promise<Survived> {
    const explored = await explore(torment, "sound", torment.isShort ? SHORT_STATES : Number.POSITIVE_INFINITY);
    const { states, possible, bad, ...figures } = explored;
    const note = `${states} of ${possible} states, ${bad} bad`;
    return { kind: "fault", runs: states, injected: states, ...figures, serverErrors: 0, recoverMs: [], note };
  },
};

const control = (id: string, title: string, breakage: Breakage, found: (explored: Explored) => string | undefined): Case => ({
  id,
  title,
  section: "control",
  cannot: () => missing("strace"),
  run: async (torment): Promise<Control> => ({ kind: "control", found: found(await explore(torment, breakage, SHORT_STATES)) }),
});

export const synchronousNormal = control("C2", "synchronous=NORMAL", "synchronous-normal", ({ lost, bad, states }) =>
  lost > 0 ? `acknowledged decisions lost in ${bad} of ${states} states` : undefined,
);
export const tallyApart = control("C3", "tally written outside the transaction", "tally-apart", ({ tallyOff, bad, states }) =>
  tallyOff > 0 ? `tallies differ from the log in ${bad} of ${states} states` : undefined,
);
