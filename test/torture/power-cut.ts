/** F2: the power fails. ext4 on a loop device is shut down without a log flush, so that whatever wasn't synced is gone; then its journal is replayed. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { acknowledged, parseAcks, wrongOf, type Ack } from "./acks.ts";
import type { Case, Control, Survived, Torment } from "./case.ts";
import { inspect, type Findings } from "./invariants.ts";
import { startVictim } from "./strace.ts";
import { libraryPath, missing, type Tool } from "./tools.ts";
import { copyOf, openVictimWorld } from "./victim-world.ts";

const NEEDS: readonly Tool[] = ["root", "loop", "mkfs.ext4", "python3"];
const RUN = "f2";

/** Prints CLOCK_MONOTONIC just before: an fsync under way during the call may return 0 falsely, so only earlier acknowledgements count. */
const POWER_CUT = `import fcntl, os, struct, sys, time
fd = os.open(sys.argv[1], os.O_RDONLY)
print(time.monotonic_ns(), flush=True)
fcntl.ioctl(fd, 0x8004587D, struct.pack('I', 2))  # EXT4_IOC_SHUTDOWN, 2: no log flush
`;

export const powerCut: Case = {
  id: "F2",
  title: "power cut (ext4 shut down)",
  section: "fault",
  cannot: () => missing(...NEEDS),
  async run(torment): Promise<Survived> {
    const cuts = torment.isShort ? 3 : Math.max(10, Math.min(50, Math.floor(torment.budgetMs / 2500)));
    const totals = { acked: 0, lost: 0, doubled: 0, wrong: 0, tallyOff: 0 };
    const [recoverMs, failures]: [number[], string[]] = [[], []];
    for (let cut = 0; cut < cuts; cut++) {
      const { acks, found, reopenMs } = await cutOnce(torment, {});
      totals.acked += acks.length;
      totals.lost += found.lost;
      totals.doubled += found.doubled;
      totals.wrong += found.wrong + wrongOf(acks);
      totals.tallyOff += found.tallyOff;
      recoverMs.push(reopenMs);
      for (const failure of found.failures) failures.push(`cut ${cut + 1}: ${failure}`);
      torment.say(`cut ${cut + 1} of ${cuts}: ${acks.length} acknowledged before it`);
    }
    if (totals.acked < cuts) failures.push("hardly anything was acknowledged: nothing was tried");
    return { kind: "fault", runs: cuts, injected: cuts, ...totals, serverErrors: 0, recoverMs, note: "", failures };
  },
};

/** C1: the same cuts with fsync turned off must lose decisions. */
export const fsyncOff: Case = {
  id: "C1",
  title: "power cut with fsync off (libeatmydata)",
  section: "control",
  cannot: () => missing(...NEEDS, "libeatmydata"),
  async run(torment): Promise<Control> {
    const { acks, found } = await cutOnce(torment, { LD_PRELOAD: libraryPath("libeatmydata.so") ?? "" });
    if (acks.length > 0 && found.lost > 0) return { kind: "control", found: `${found.lost} of ${acks.length} acknowledged decisions lost` };
    return { kind: "control", found: undefined };
  },
};

interface Cut {
  /** Those that were out before the power failed. */
  readonly acks: readonly Ack[];
  readonly found: Pick<Findings, "lost" | "doubled" | "wrong" | "tallyOff" | "failures">;
  readonly reopenMs: number;
}

async function cutOnce(torment: Torment, env: Readonly<Record<string, string>>): Promise<Cut> {
  const { folder: prepared } = await torment.prepared();
  const root = torment.folder();
  const [image, mount, script] = [join(root, "disk"), join(root, "mount"), join(root, "cut.py")];
  mkdirSync(mount);
  writeFileSync(script, POWER_CUT);
  must("truncate", "-s", "96M", image);
  must("mkfs.ext4", "-qF", "-J", "size=4", image);
  must("mount", "-o", "loop", image, mount);
  try {
    const folder = copyOf(prepared, join(mount, "data"));
    must("sync", "-f", mount);
    const output = join(root, "acks");
    const victim = startVictim({ folder, run: RUN, count: 1_000_000, concurrency: 8, output, env, mayBreak: true });
    while (victim.child.exitCode === null && statSync(output).size === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await new Promise((resolve) => setTimeout(resolve, torment.random.between(20, 500)));
    const cutNs = BigInt(must("python3", script, mount).trim());
    victim.child.kill("SIGKILL");
    const said = await victim.ended;
    must("umount", mount);
    must("mount", "-o", "loop", image, mount);
    const acks = parseAcks(said.output).filter(({ atNs }) => BigInt(atNs) < cutNs);
    const known = acks.map((ack) => acknowledged(RUN, ack));
    return await lookAfter(folder, acks, known);
  } finally {
    spawnSync("umount", ["-l", mount]);
    rmSync(image, { force: true });
  }
}

/** The product itself starts on what is left. A folder that it can't start on any more has lost everything. */
async function lookAfter(folder: string, acks: readonly Ack[], known: Parameters<typeof inspect>[1]): Promise<Cut> {
  const startedMs = performance.now();
  try {
    const world = await openVictimWorld(folder, "sound");
    const reopenMs = performance.now() - startedMs;
    try {
      return { acks, found: await inspect(folder, known, true), reopenMs };
    } finally {
      await world.close();
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const found = { doubled: 0, wrong: 0, tallyOff: 0, lost: acks.length, failures: [`the folder can't be opened: ${why}`] };
    return { acks, found, reopenMs: performance.now() - startedMs };
  }
}

function must(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: 30_000 });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
  return stdout;
}
