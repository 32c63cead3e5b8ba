/** F1: `kill -9` at every system call of a run of decisions, then everything is asked for again. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { acknowledged, parseAcks, wrongOf, type Ack } from "./acks.ts";
import type { Case, Control, Survived, Torment } from "./case.ts";
import { spread } from "./chance.ts";
import { inspect } from "./invariants.ts";
import { startVictim } from "./strace.ts";
import { missing } from "./tools.ts";
import { copyOf, openVictimWorld, type Breakage } from "./victim-world.ts";

const DECISIONS = 30;
const RUN = "f1";
/** Everything that changes a file of the database. */
const CALLS = ["pwrite64", "fdatasync", "fsync", "ftruncate", "unlink"] as const;

/** This case has far more moments to choose from than any other. */
const BUDGETS = 5;
const LANES = 3;

interface Stage {
  readonly call: string;
  /** Counted in each thread by itself. */
  readonly n: number;
}

export const killStages: Case = {
  id: "F1",
  title: "kill -9 at each system call of a commit",
  section: "fault",
  cannot: () => missing("strace"),
  run: (torment) => killAtStages(torment, torment.isShort ? 12 : Number.POSITIVE_INFINITY),
};

/** Kills at as many stages as there are, as `limit` allows, or as there is time for. */
export async function killAtStages(torment: Torment, limit: number): Promise<Survived> {
  const root = torment.folder();
  const { folder: prepared } = await torment.prepared();
  const stages = await stagesOf(prepared, join(root, "counted"));
  const affordable = Math.min(limit, Math.floor((torment.budgetMs * BUDGETS) / 1000));
  const chosen = spread(stages, affordable, torment.random);
  const totals = { injected: 0, acked: 0, lost: 0, doubled: 0, wrong: 0, tallyOff: 0 };
  const recoverMs: number[] = [];
  const failures: string[] = [];
  let next = 0;
  const oneAfterTheOther = async (lane: number) => {
    for (let stage = chosen[next++]; stage && failures.length < 20; stage = chosen[next++]) {
      const folder = copyOf(prepared, join(root, `data-${lane}`));
      const killed = await killAt(stage, folder);
      const after = await afterwards(folder, killed.acks, "sound");
      rmSync(folder, { recursive: true });
      if (killed.wasKilled) totals.injected++;
      totals.acked += killed.acks.length;
      totals.lost += after.lost;
      totals.doubled += after.doubled;
      totals.wrong += after.wrong + wrongOf(killed.acks);
      totals.tallyOff += after.tallyOff;
      recoverMs.push(after.recoverMs);
      for (const failure of after.failures) failures.push(`killed at ${stage.call} ${stage.n}: ${failure}`);
      torment.say(`${recoverMs.length} of ${chosen.length}: ${stage.call} ${stage.n}, ${killed.acks.length} acknowledged`);
    }
  };
  // A victim mostly waits for the disk.
  await Promise.all(Array.from({ length: LANES }, (_, lane) => oneAfterTheOther(lane)));
  if (totals.injected < chosen.length / 2) failures.push(`only ${totals.injected} of ${chosen.length} victims were killed`);
  const note = `${chosen.length} of ${stages.length} stages`;
  return { kind: "fault", runs: recoverMs.length, ...totals, serverErrors: 0, recoverMs, note, failures };
}

/** C4: without idempotency keys the same kill doubles people. */
export const keysOff: Case = {
  id: "C4",
  title: "idempotency keys off, retries on",
  section: "control",
  cannot: () => missing("strace"),
  async run(torment): Promise<Control> {
    const root = torment.folder();
    const { folder: prepared } = await torment.prepared();
    const folder = copyOf(prepared, join(root, "data"));
    const killed = await killAt({ call: "fdatasync", n: 12 }, folder, "keys-off");
    const { doubled } = await afterwards(folder, killed.acks, "keys-off");
    return { kind: "control", found: doubled > 0 ? `${doubled} people decided about twice` : undefined };
  },
};

/** Which calls a whole run makes, counted in the thread that makes most of them. */
async function stagesOf(prepared: string, folder: string): Promise<readonly Stage[]> {
  copyOf(prepared, folder);
  const trace = join(folder, "trace");
  await startVictim({
    folder,
    run: RUN,
    count: DECISIONS,
    output: join(folder, "acks"),
    strace: ["--seccomp-bpf", "-o", trace, "-e", `trace=${CALLS.join(",")}`],
  }).ended;
  const counts = new Map<string, number>();
  for (const line of readFileSync(trace, "utf8").split("\n")) {
    const found = /^(\d+) +(\w+)\(/.exec(line);
    if (found) counts.set(`${found[2]} ${found[1]}`, (counts.get(`${found[2]} ${found[1]}`) ?? 0) + 1);
  }
  rmSync(folder, { recursive: true });
  return CALLS.flatMap((call) => {
    const most = Math.max(0, ...[...counts].filter(([key]) => key.startsWith(`${call} `)).map(([, count]) => count));
    return Array.from({ length: most }, (_, i) => ({ call, n: i + 1 }));
  });
}

async function killAt(
  stage: Stage,
  folder: string,
  breakage: Breakage = "sound",
): Promise<{ readonly acks: readonly Ack[]; readonly wasKilled: boolean }> {
  const strace = ["-o", "/dev/null", "-e", `trace=${stage.call}`, "-e", `inject=${stage.call}:signal=SIGKILL:when=${stage.n}`];
  const { output, how } = await startVictim({ folder, run: RUN, count: DECISIONS, breakage, output: join(folder, "acks"), strace }).ended;
  return { acks: parseAcks(output), wasKilled: how === "SIGKILL" || how === 137 };
}

interface Afterwards {
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  readonly tallyOff: number;
  readonly recoverMs: number;
  readonly failures: readonly string[];
}

/** Starts again, looks, asks for every decision again, and looks once more. */
async function afterwards(folder: string, acks: readonly Ack[], breakage: Breakage): Promise<Afterwards> {
  const startedMs = performance.now();
  const world = await openVictimWorld(folder, breakage);
  const recoverMs = performance.now() - startedMs;
  const failures: string[] = [];
  let wrong = 0;
  try {
    const known = acks.map((ack) => acknowledged(RUN, ack));
    const found = await inspect(folder, known, true);
    failures.push(...found.failures);
    const first = new Map(acks.map(({ n, reply }) => [n, JSON.stringify(reply)]));
    const again: Ack[] = [];
    for (let n = 0; n < DECISIONS; n++) {
      const { reply } = await world.decide(RUN, n);
      again.push({ n, atNs: "0", reply });
      const before = first.get(n);
      if (before === undefined || before === JSON.stringify(reply)) continue;
      wrong++;
      if (wrong === 1) failures.push(`F16: the retry of ${n} was answered ${JSON.stringify(reply)}, and first ${before}`);
    }
    const settled = await inspect(
      folder,
      again.map((ack) => acknowledged(RUN, ack)),
      true,
    );
    failures.push(...settled.failures);
    if (settled.decisions !== DECISIONS) failures.push(`${DECISIONS} people asked, ${settled.decisions} decisions are recorded`);
    return {
      lost: found.lost,
      doubled: settled.doubled,
      wrong: wrong + found.wrong,
      tallyOff: found.tallyOff + settled.tallyOff,
      recoverMs,
      failures,
    };
  } finally {
    await world.close();
  }
}
