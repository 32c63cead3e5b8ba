/** The report of `npm run torture`, in the form of the fault catalogue. */
import { quantile } from "./chance.ts";
import type { Case, Control, LoadHeld, Outcome, Survived } from "./case.ts";

export type Verdict = "pass" | "FAIL" | "skipped";
export interface Finished {
  readonly case: Pick<Case, "id" | "title" | "section">;
  readonly seconds: number;
  readonly outcome: Outcome | { readonly kind: "skipped"; readonly why: string } | { readonly kind: "broke"; readonly why: string };
  /** What was wrong the first time, where this is the second. */
  readonly firstFailed?: readonly string[];
}

export interface Header {
  readonly seed: number;
  readonly commit: string;
  readonly node: string;
  readonly sqlite: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly seconds: number;
}

export function verdictOf({ outcome }: Finished): Verdict {
  if (outcome.kind === "skipped") return "skipped";
  if (outcome.kind === "broke") return "FAIL";
  if (outcome.kind === "control") return outcome.found === undefined ? "FAIL" : "pass";
  if (outcome.failures.length > 0) return "FAIL";
  return outcome.kind === "load" && outcome.isVoid ? "skipped" : "pass";
}

/** Whether a failure may be that of a machine which was busy: nothing was lost, doubled, wrong or miscounted. */
export function mayBeLuck(finished: Finished): boolean {
  const { outcome } = finished;
  if (verdictOf(finished) !== "FAIL" || outcome.kind === "control") return false;
  return outcome.kind !== "fault" || [outcome.lost, outcome.doubled, outcome.wrong, outcome.tallyOff].every((value) => (value ?? 0) === 0);
}

const count = (value: number | null) => (value === null ? "–" : value.toLocaleString("en").replaceAll(",", " "));
const ms = (value: number | undefined) => (value === undefined ? "–" : value >= 100 ? value.toFixed(0) : value.toFixed(1));

function table(heads: readonly string[], rows: readonly (readonly string[])[], leftColumns: number): string {
  const all = [heads, ...rows];
  const widths = heads.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => (at < leftColumns || at === heads.length - 1 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join("  ");
  return all.map((row) => line(row).trimEnd()).join("\n");
}

function loadRow(finished: Finished, held: LoadHeld): readonly string[] {
  const share = (part: number) => (held.answered === 0 ? "–" : ((100 * part) / held.answered).toFixed(1));
  const rates = [
    held.offeredPerSecond.toFixed(0),
    held.goodPerSecond.toFixed(0),
    share(held.shed),
    count(held.failed),
    share(held.fallback),
  ];
  const times = [held.p50Ms, held.p99Ms, held.p999Ms, held.maxMs, held.loopP99Ms].map(ms);
  return [finished.case.title, ...rates, ...times, held.rssMb.toFixed(0), `${verdictOf(finished)}${held.note ? `  ${held.note}` : ""}`];
}

function faultRow(finished: Finished, row: Survived): readonly string[] {
  const { recoverMs } = row;
  const recover = recoverMs.length === 0 ? "–" : `${ms(quantile(recoverMs, 0.5))}/${ms(Math.max(...recoverMs))}`;
  const figures = [row.runs, row.injected, row.acked, row.lost, row.doubled, row.wrong, row.tallyOff, row.serverErrors].map(count);
  return [finished.case.id, finished.case.title, ...figures, recover, `${verdictOf(finished)}${row.note ? `  ${row.note}` : ""}`];
}

const controlLine = (finished: Finished, { found }: Control) =>
  `${finished.case.id.padEnd(4)} ${finished.case.title.padEnd(52)} ${found === undefined ? "DID NOT FAIL: what should find it finds nothing" : `failed as it must  ${found}`}`;

/** The whole report as text. */
export function reportOf(header: Header, all: readonly Finished[]): string {
  const parts: string[] = [headerLine(header)];
  const rows = <K extends Outcome["kind"], R>(kind: K, row: (finished: Finished, outcome: Extract<Outcome, { kind: K }>) => R): R[] =>
    all.flatMap((finished) => (isOf(finished.outcome, kind) ? [row(finished, finished.outcome)] : []));
  const load = rows("load", loadRow);
  if (load.length > 0)
    parts.push(
      `LOAD HELD (open loop, latency from due time, ms)\n${table(
        ["scenario", "offered/s", "good/s", "shed%", "failed", "fallback%", "p50", "p99", "p99.9", "max", "loop p99", "rss MB", "verdict"],
        load,
        1,
      )}`,
    );
  const faults = rows("fault", faultRow);
  if (faults.length > 0)
    parts.push(
      `FAULTS SURVIVED\n${table(
        ["id", "fault", "runs", "injected", "acked", "lost", "doubled", "wrong", "tally≠log", "5xx", "recover p50/max ms", "verdict"],
        faults,
        2,
      )}`,
    );
  const controls = rows("control", controlLine);
  if (controls.length > 0) parts.push(`NEGATIVE CONTROLS (must fail)\n${controls.join("\n")}`);
  const skipped = all.flatMap(({ case: { id }, outcome }) => {
    if (outcome.kind === "skipped") return [`${id} (${outcome.why})`];
    return outcome.kind === "load" && outcome.isVoid ? [`${id} (void: this machine was too busy to measure)`] : [];
  });
  parts.push(`NOT RUN   ${skipped.length === 0 ? "–" : skipped.join(", ")}`);
  const failures = all.flatMap((finished) => failuresOf(finished).map((failure) => `${finished.case.id}: ${failure}`));
  if (failures.length > 0) parts.push(`FAILURES (each again with --only ID --seed ${header.seed})\n${failures.join("\n")}`);
  const second = all.flatMap(({ case: { id }, firstFailed }) => (firstFailed ?? []).map((failure) => `${id}: ${failure}`));
  if (second.length > 0) parts.push(`FAILED AT FIRST, tried again\n${second.join("\n")}`);
  parts.push(closingLine(all));
  return parts.join("\n\n");
}

function isOf<K extends Outcome["kind"]>(outcome: Finished["outcome"], kind: K): outcome is Extract<Outcome, { kind: K }> {
  return outcome.kind === kind;
}

export function failuresOf({ outcome, case: { title } }: Finished): readonly string[] {
  switch (outcome.kind) {
    case "broke":
      return [`the case itself broke: ${outcome.why}`];
    case "control":
      return outcome.found === undefined ? [`${title} was not found out`] : [];
    case "skipped":
      return [];
    case "fault":
    case "load":
      return outcome.failures;
  }
}

function headerLine({ seed, commit, node, sqlite, cores, memoryGib, seconds }: Header): string {
  const took = seconds < 120 ? `${seconds.toFixed(0)} s` : `${(seconds / 60).toFixed(0)} min`;
  return `evenkeel torture · seed ${seed} · commit ${commit} · node ${node} · sqlite ${sqlite} (synchronous=FULL) · ${cores} cores ${memoryGib} GiB · ${took}`;
}

/** `12 passed, 0 failed, 2 skipped`. */
export function closingLine(all: readonly Finished[]): string {
  const verdicts = all.map(verdictOf);
  const of = (verdict: Verdict) => verdicts.filter((one) => one === verdict).length;
  return `${of("pass")} passed, ${of("FAIL")} failed, ${of("skipped")} skipped`;
}
