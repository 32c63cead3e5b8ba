/** What the comparison says: a row for each server, model and number of connections, and what Evenkeel is to the best of the others. */
import { machine } from "../report.ts";
import type { Measured } from "../processes.ts";
import { MODELS, MODEL_KINDS, type ModelKind } from "./rows.ts";

export const PLACES = ["one core", "all cores"] as const;
export type Place = (typeof PLACES)[number];

/** What was measured of one server. */
export interface Figures extends Measured {
  readonly kind: "measured";
  readonly server: string;
  readonly model: ModelKind;
  readonly place: Place;
  readonly connections: number;
  /** Of the ways to set it up that were tried, the best. */
  readonly variant: string;
  readonly startUpMs: number;
  readonly processes: number | null;
  readonly pssBytes: number | null;
  readonly rssBytes: number | null;
  readonly logged: string;
  readonly largestDifference: number;
}

/** Why there are no figures. */
export interface Missing {
  readonly kind: "missing";
  readonly server: string;
  /** Null: it never came to a model. */
  readonly model: ModelKind | null;
  readonly place: Place | null;
  readonly why: string;
  /** It could be started here and then didn't do what was asked: not the same as a package that can't be had. */
  readonly isFailure: boolean;
}

/** One way to set a server up, in a short trial at 64 connections. */
export interface Trial {
  readonly server: string;
  readonly model: ModelKind;
  readonly place: Place;
  readonly variant: string;
  /** Null when it didn't run. */
  readonly perSecond: number | null;
  readonly why: string | null;
}

export interface Comparison {
  readonly model: ModelKind;
  readonly how: string;
  /** Evenkeel's figure over that of the best of the others. */
  readonly ratio: number;
  readonly target: number;
  readonly best: string;
}

export const US = "Evenkeel";
/** Times the best of the others, a core, with the durable log on. */
const TARGETS = { logistic: 3, forest: 20 } as const satisfies Record<ModelKind, number>;
/** A server that is busy on all of its connections is what "a core" is about. */
const BUSY = 64;

/** Requests for each second of processor time that the server and all its processes took. */
export const perCpuSecond = ({ cpuUs }: Pick<Measured, "cpuUs">) => (cpuUs === null || cpuUs <= 0 ? null : 1e6 / cpuUs);

/** Two ways to say "a core"; one is left out where nobody, or only Evenkeel, could be measured that way. */
export function compare(rows: readonly Figures[]): readonly Comparison[] {
  return MODEL_KINDS.flatMap((model) => {
    const busy = rows.filter((row) => row.model === model && row.connections === BUSY);
    const ways = [
      { how: "requests/s on one core", place: "one core", value: ({ perSecond }: Figures) => perSecond },
      { how: "requests per CPU-second on all cores", place: "all cores", value: perCpuSecond },
    ] as const;
    return ways.flatMap(({ how, place, value }) => {
      const here = busy.flatMap((row) => {
        const got = row.place === place ? value(row) : null;
        return got === null ? [] : [{ server: row.server, got }];
      });
      const ours = here.find(({ server }) => server === US);
      const [best] = here.filter(({ server }) => server !== US).toSorted((a, b) => b.got - a.got);
      if (!ours || !best) return [];
      return [{ model, how, ratio: ours.got / best.got, target: TARGETS[model], best: best.server }];
    });
  });
}

const HEAD = ["server", "conn.", "requests/s", "p50 ms", "p99 ms", "per CPU-s", "PSS MB", "RSS MB", "proc.", "ready s", "failed", "logged"];

/** A table for each model and place, with those that have no figures below. */
export function tablesOf(rows: readonly Figures[], missing: readonly Missing[]): string {
  const sections = MODEL_KINDS.flatMap((model) =>
    PLACES.flatMap((place) => {
      const here = rows.filter((row) => row.model === model && row.place === place);
      const absent = missing.filter((one) => one.model === model && one.place === place).map(lineOf);
      if (here.length === 0 && absent.length === 0) return [];
      return [[`${MODELS[model]}, ${place}`, ...aligned([HEAD, ...here.map(cellsOf)]), ...absent].join("\n")];
    }),
  );
  return [...sections, ...missing.filter(({ model }) => model === null).map(lineOf)].join("\n\n");
}

const lineOf = ({ server, why }: Missing) => `${server}: no figures: ${why}`;

function cellsOf(row: Figures): readonly string[] {
  const megabytes = (bytes: number | null) => (bytes === null ? "-" : (bytes / 1e6).toFixed(0));
  const perCpu = perCpuSecond(row);
  return [
    row.server,
    String(row.connections),
    Math.round(row.perSecond).toLocaleString("en"),
    row.p50Ms.toFixed(2),
    row.p99Ms.toFixed(2),
    perCpu === null ? "-" : Math.round(perCpu).toLocaleString("en"),
    megabytes(row.pssBytes),
    megabytes(row.rssBytes),
    row.processes === null ? "-" : String(row.processes),
    (row.startUpMs / 1000).toFixed(1),
    String(row.failed),
    row.logged,
  ];
}

/** Words to the left, numbers to the right. */
function aligned(lines: readonly (readonly string[])[]): readonly string[] {
  const widths = HEAD.map((_head, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  const isWord = (column: number) => column === 0 || column === HEAD.length - 1;
  return lines.map((cells) =>
    cells
      .map((cell, column) => (isWord(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

/** Which way to set each server up was kept, and what the others gave. */
export function trialsOf(trials: readonly Trial[], rows: readonly Figures[]): readonly string[] {
  const groups = Map.groupBy(trials, ({ server, model, place }) => `${server}, ${MODELS[model]}, ${place}`);
  return [...groups].map(([what, tried]) => {
    const [first] = tried;
    const kept = rows.find((row) => row.server === first?.server && row.model === first.model && row.place === first.place)?.variant;
    const each = tried.map(
      ({ variant, perSecond, why }) =>
        `${variant}${variant === kept ? " (kept)" : ""} ${perSecond === null ? `didn't run: ${why}` : `${Math.round(perSecond).toLocaleString("en")}/s`}`,
    );
    return `${what}: ${each.join(", ")}`;
  });
}

export interface Report {
  readonly rows: readonly Figures[];
  readonly missing: readonly Missing[];
  readonly trials: readonly Trial[];
  readonly versions: Readonly<Record<string, string>>;
  readonly seconds: number;
}

export function print({ rows, missing, trials, versions, seconds }: Report): void {
  const { cpu, cores, node } = machine();
  console.log(`${cores} × ${cpu}, Node ${node}; ${seconds} s for each row`);
  for (const [server, packages] of Object.entries(versions)) console.log(`${server}: ${packages}`);
  console.log(`\n${tablesOf(rows, missing)}\n`);
  for (const line of trialsOf(trials, rows)) console.log(line);
  const largest = Math.max(...rows.map(({ largestDifference }) => largestDifference));
  if (rows.length > 0) console.log(`\nall servers give scikit-learn's scores, to ${largest.toExponential(0)}`);
  for (const { model, how, ratio, target, best } of compare(rows))
    console.log(
      `${ratio >= target ? "reached    " : "NOT REACHED"} ${MODELS[model]}, ${how}, ${BUSY} connections: ${ratio.toFixed(1)} times ${best} (target ${target})`,
    );
}
