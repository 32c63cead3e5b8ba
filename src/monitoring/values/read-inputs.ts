/** The inputs of one release and arm in a window, and what they are compared with. */
import { hourOf, readInputWindow, type InputProfile, type InputRow } from "../../decisions/index.ts";
import type { Store } from "../../store/index.ts";
import { inputAnswers, type InputMetricName, type InputReference } from "./input-answers.ts";
import type { WindowedAnswer } from "./read-answers.ts";
import type { CellsFilter } from "./read-cells.ts";

const HOUR_MINUTES = 60;
const WEEK_HOURS = 168;
/** Beyond all hours. */
const EVER = 1e9;

export interface InputsQuestion extends Omit<CellsFilter, "window"> {
  readonly window?: CellsFilter["window"];
  readonly profile: InputProfile | undefined;
  readonly against: InputReference;
  readonly names: readonly InputMetricName[];
  readonly nowMs: number;
}

/** Whole hours, so the window may be wider than what was asked for. */
export async function readInputAnswers(db: Store["db"], question: InputsQuestion): Promise<readonly WindowedAnswer[]> {
  const { endpoint, release, arm, window, profile, against, names, nowMs } = question;
  if (names.length === 0) return [];
  const of = { endpoint, release, arm };
  const fromHour = Math.floor((window?.fromMinute ?? 0) / HOUR_MINUTES);
  const toHour = window ? Math.ceil(window.toMinute / HOUR_MINUTES) : EVER;
  const live = await readInputWindow(db, { ...of, fromHour, toHour });
  const read = (from: number, to: number): Promise<readonly InputRow[]> => readInputWindow(db, { ...of, fromHour: from, toHour: to });
  const before = async (): Promise<readonly InputRow[] | null> => {
    if (against === "training") return null;
    if (against === "previous") return window && window.fromMinute !== null ? read(fromHour - WEEK_HOURS, toHour - WEEK_HOURS) : null;
    const first = await db
      .selectFrom("input_tally")
      .select((eb) => eb.fn.min<number | null>("hour").as("hour"))
      .where("endpoint", "=", endpoint)
      .where("release", "=", release)
      .where("arm", "=", arm)
      .executeTakeFirst();
    // Only a whole week holds every day and hour of it.
    const hour = first?.hour ?? null;
    return hour === null || hourOf(nowMs) < hour + WEEK_HOURS ? null : read(hour, hour + WEEK_HOURS);
  };
  const answers = inputAnswers(names, { profile, live, against, before: await before() });
  const counted = window && {
    fromMinute: window.fromMinute === null ? null : fromHour * HOUR_MINUTES,
    toMinute: toHour * HOUR_MINUTES,
  };
  return answers.map((answer) => ({ answer, window: counted }));
}
