/** The tallies of a window, by cell: what metrics of groups are computed from. */
import { readOutcomeTotals, readTotals, readWindow, type Arm, type TotalRow } from "../../decisions/index.ts";
import type { EndpointName, ReleaseId } from "../../std.ts";
import type { Store } from "../../store/index.ts";
import { countCells, type CellCounts } from "./groups.ts";

/** Whole minutes since 1970 (UTC), half open. */
export interface Window {
  /** Null: since the release began. */
  readonly fromMinute: number | null;
  readonly toMinute: number;
}

export interface CellsFilter {
  readonly endpoint: EndpointName;
  readonly release: ReleaseId;
  readonly arm: Arm;
  /** All that was counted, where it is left out: it costs the same at ten decisions as at ten billion. */
  readonly window?: Window;
}

/** @param favourable - actions that are good for the person */
export async function readCells(db: Store["db"], filter: CellsFilter, favourable: ReadonlySet<string>): Promise<readonly CellCounts[]> {
  const { window, ...of } = filter;
  const minutes = window === undefined ? undefined : { fromMinute: window.fromMinute ?? 0, toMinute: window.toMinute };
  const rows: readonly TotalRow[] = minutes ? await readWindow(db, { ...of, ...minutes }) : await readTotals(db, of);
  return countCells(rows, await readOutcomeTotals(db, { ...of, ...minutes }), favourable);
}
