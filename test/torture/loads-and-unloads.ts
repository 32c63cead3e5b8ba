/** M1: models loaded and unloaded again and again: the server's memory, descriptors and processes stay as they were. */
import { readFileSync, readdirSync } from "node:fs";
import type { BlobView, ModelVersionView } from "../../src/api/index.ts";
import { forestModel } from "../fixtures/onnx-models.ts";
import { ENDPOINT, LOANS_YAML } from "./applications.ts";
import type { Case, Survived } from "./case.ts";
import { ServerProcess } from "./server-process.ts";

const CYCLES = { short: 60, full: 2000 } as const;
/** Of all cycles: until then caches fill. */
const WARM_UP = 0.2;
/** More releases than may rest, so that every cycle loads one and unloads one. */
const RELEASES = 6;
/** V8's young generation comes and goes by this much. */
const GROWS_BY_AT_MOST_MB = 40;

interface Size {
  readonly ownMb: number;
  readonly descriptors: number;
  readonly processes: number;
}

export const loadsAndUnloads: Case = {
  id: "M1",
  title: "models loaded and unloaded",
  section: "fault",
  cannot: () => (process.platform === "linux" ? undefined : "needs /proc"),
  async run(torment): Promise<Survived> {
    const server = await ServerProcess.start({ folder: torment.folder() });
    try {
      const cycles = torment.isShort ? CYCLES.short : CYCLES.full;
      await makeReleases(server);
      const sizes: Size[] = [];
      for (let i = 0; i < cycles; i++) {
        const release = `r${2 + (i % RELEASES)}`;
        await server.control.post(`/v1/endpoints/${ENDPOINT}/shadow`, { release, reason: "M1" });
        await server.control.post(`/v1/endpoints/${ENDPOINT}/stop`, { release, reason: "M1" });
        sizes.push(sizeOf(server.pid));
        if (i % 50 === 0) torment.say(`${i} of ${cycles}`);
      }
      const steady = sizes.slice(Math.floor(cycles * WARM_UP));
      const half = Math.floor(steady.length / 2);
      const [before, after] = [medians(steady.slice(0, half)), medians(steady.slice(half))];
      const failures = [
        ...(after.ownMb - before.ownMb > GROWS_BY_AT_MOST_MB
          ? [`memory grew from ${before.ownMb.toFixed(0)} to ${after.ownMb.toFixed(0)} MB`]
          : []),
        ...(after.descriptors > before.descriptors + 4 ? [`descriptors grew from ${before.descriptors} to ${after.descriptors}`] : []),
        ...(after.processes > before.processes + 1 ? [`processes grew from ${before.processes} to ${after.processes}`] : []),
      ];
      return {
        kind: "fault",
        runs: 1,
        injected: cycles,
        acked: null,
        lost: null,
        doubled: 0,
        wrong: 0,
        tallyOff: 0,
        serverErrors: 0,
        recoverMs: [],
        note: `medians of the first and second half: ${[before, after].map(({ ownMb, descriptors, processes }) => `${ownMb.toFixed(0)} MB, ${descriptors} descriptors, ${processes} scorer processes`).join("; ")}`,
        failures,
      };
    } finally {
      await server.stop();
    }
  },
};

async function makeReleases({ control }: ServerProcess): Promise<void> {
  await control.post("/v1/apply", { yaml: LOANS_YAML });
  await control.post("/v1/feature-sets", {
    name: "loans",
    features: [
      { name: "income", from: "income" },
      { name: "zero", cel: "0.0" },
    ],
  });
  for (let seed = 1; seed <= RELEASES; seed++) {
    const blob = await control.put<BlobView>("/v1/blobs", forestModel({ width: 2, trees: 20, depth: 5, seed }));
    const { model, number } = await control.post<ModelVersionView>("/v1/models/credit/versions", { blob: blob.id, featureSet: "loans/1" });
    const bands = [
      { from: 0, action: "deny" },
      { from: 0.5, action: "approve" },
    ];
    await control.post(`/v1/endpoints/${ENDPOINT}/releases`, { model: `${model}/${number}`, policy: { bands } });
  }
}

/** Of the server's own process: memory that its end would free, open descriptors, children. */
function sizeOf(pid: number): Size {
  const own = /RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean),
  );
  return { ownMb: Number(own?.[1] ?? Number.NaN) / 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length, processes: children.length };
}

function medians(sizes: readonly Size[]): Size {
  const median = (of: (size: Size) => number) => sizes.map(of).toSorted((a, b) => a - b)[Math.floor(sizes.length / 2)] ?? 0;
  return {
    ownMb: median((size) => size.ownMb),
    descriptors: median((size) => size.descriptors),
    processes: median((size) => size.processes),
  };
}
