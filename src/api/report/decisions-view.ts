/** How often what was decided: by release and place, by action, by day. Pure. */
import type { DailyRow, TotalRow } from "../../decisions/index.ts";
import { hiddenIn, wilson } from "../../monitoring/index.ts";
import type { EndpointRoom } from "../../releases/index.ts";
import type { ReleaseId } from "../../std.ts";
import { dayText, type ReportPeriod } from "./period.ts";
import type { Figure, ReportView } from "./report-view.ts";

interface Counted {
  readonly rows: readonly TotalRow[];
  readonly daily: readonly DailyRow[];
  readonly favourable: ReadonlySet<string>;
  readonly nameOf: (release: ReleaseId) => string;
  readonly period: ReportPeriod;
  /** Fewer decisions than this are no share to show. */
  readonly smallCell: number;
}

export function decisionsView(
  room: EndpointRoom,
  { rows, daily, favourable, nameOf, smallCell, period: { fromDay, toDay } }: Counted,
): ReportView["decisions"] {
  const { actions } = room.definition.spec;
  const serving = rows.filter(({ arm }) => arm !== "shadow");
  const sum = (of: readonly TotalRow[], field: "decisions" | "counted" | "fallback" | "latencySumUs") =>
    of.reduce((total, row) => total + row[field], 0);
  const rate = (of: readonly TotalRow[]) => {
    const n = sum(of, "decisions");
    const x = sum(
      of.filter(({ action }) => favourable.has(action)),
      "decisions",
    );
    const isHidden = n > 0 && n < smallCell;
    return { decisions: n, favourable: isHidden ? null : x, rate: isHidden ? hidden : rateFigure(x, n) };
  };
  const places = Map.groupBy(rows, ({ release, arm }) => `${release}\0${arm}`);
  const days = Map.groupBy(daily, ({ day }) => day);
  const ofDay = (day: number) => (days.get(day) ?? []).reduce((total, row) => total + row.decisions, 0);
  // The sum of all days is shown: one hidden alone could be worked out.
  const hiddenDays = hiddenIn(
    Array.from({ length: toDay - fromDay }, (_, i) => ofDay(fromDay + i)),
    smallCell,
  );
  return {
    total: sum(serving, "decisions"),
    repeats: sum(serving, "decisions") - sum(serving, "counted"),
    fallback: sum(serving, "fallback"),
    favourable: rate(serving),
    actions: Object.entries(actions).map(([action, { favourable: isFavourable }]) => ({
      action,
      isFavourable,
      decisions: sum(
        serving.filter((row) => row.action === action),
        "decisions",
      ),
    })),
    releases: [...places.values()]
      .flatMap((of) => {
        const [first] = of;
        if (!first) return [];
        const { release, arm } = first;
        const n = sum(of, "decisions");
        return [
          {
            release: nameOf(release),
            name: room.releases.get(release)?.name ?? "",
            arm,
            isShadow: arm === "shadow",
            ...rate(of),
            fallback: sum(of, "fallback"),
            meanLatencyMs: n === 0 ? null : sum(of, "latencySumUs") / n / 1000,
          },
        ];
      })
      .toSorted((a, b) => Number(a.isShadow) - Number(b.isShadow) || b.decisions - a.decisions),
    days: Array.from({ length: toDay - fromDay }, (_, i) => {
      const day = fromDay + i;
      const of = days.get(day) ?? [];
      const n = ofDay(day);
      const x = of.filter(({ action }) => favourable.has(action)).reduce((total, row) => total + row.decisions, 0);
      const releases = new Map<string, number>();
      for (const { release, decisions } of of) releases.set(nameOf(release), (releases.get(nameOf(release)) ?? 0) + decisions);
      return { day: dayText(day), decisions: n, favourable: hiddenDays.has(i) ? null : x, releases: Object.fromEntries(releases) };
    }),
  };
}

const hidden: Figure = { value: null, low: null, high: null, why: "suppressed" };
function rateFigure(x: number, n: number): Figure {
  if (n === 0) return { value: null, low: null, high: null, why: "no_decisions" };
  const [low, high] = wilson({ n, k: x });
  return { value: x / n, low, high, why: null };
}
