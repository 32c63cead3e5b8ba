/** Plots of a report: inline SVG without text in it, which stretches to the width it is given. Every number stands beside it in a table. */
import { html, type Markup } from "./markup.ts";
import type { Figure, ReportView } from "./report-view.ts";

/** So many releases have a look of their own; those after share the last one. */
export const SERIES = 6;

/** Decisions of each day as stacked bars, the first release at the bottom. */
export function dayBars(days: ReportView["decisions"]["days"], releases: readonly string[]): Markup {
  const width = 10;
  const most = Math.max(1, ...days.map(({ decisions }) => decisions));
  const bars = days.map(({ day, releases: of, decisions }, i) => {
    let below = 0;
    const parts = releases.flatMap((release, at) => {
      const count = of[release] ?? 0;
      if (count === 0) return [];
      const height = (count / most) * 100;
      const y = 100 - below - height;
      below += height;
      return [
        html`<rect
          class="s${Math.min(at, SERIES - 1)}"
          x="${i * width + 1}"
          y="${y.toFixed(2)}"
          width="${width - 2}"
          height="${height.toFixed(2)}"
        />`,
      ];
    });
    return html`<g><title>${day}: ${decisions.toLocaleString("en")}</title>${parts}</g>`;
  });
  return html`<svg
    class="bars"
    viewBox="0 0 ${Math.max(1, days.length) * width} 100"
    preserveAspectRatio="none"
    role="img"
    aria-label="Decisions a day; the numbers are in the table below"
  >
    ${bars}
    <line class="base" x1="0" x2="${Math.max(1, days.length) * width}" y1="100" y2="100" />
  </svg>`;
}

export interface StripScale {
  readonly from: number;
  readonly to: number;
  /** Where a line is drawn: a limit, or equality. */
  readonly lines: readonly { readonly at: number; readonly kind: "limit" | "even" }[];
}

/** One number with its range, as a mark on a line. @param label - the same in words */
export function strip({ value, low, high }: Figure, { from, to, lines }: StripScale, label: string): Markup | null {
  if (value === null) return null;
  const at = (x: number) => (Math.min(1, Math.max(0, (x - from) / (to - from))) * 200).toFixed(2);
  const [left, right] = [at(low ?? from), at(high ?? to)];
  const marks = lines.map(({ at: x, kind }) => html`<line class="${kind}" x1="${at(x)}" x2="${at(x)}" y1="0" y2="20" />`);
  return html`<svg class="strip" viewBox="0 0 200 20" preserveAspectRatio="none" role="img" aria-label="${label}">
    <title>${label}</title>
    <line class="axis" x1="0" x2="200" y1="10" y2="10" />
    ${marks}
    <rect class="range" x="${left}" y="6" width="${Math.max(1, Number(right) - Number(left)).toFixed(2)}" height="8" />
    <line class="value" x1="${at(value)}" x2="${at(value)}" y1="3" y2="17" />
  </svg>`;
}

/** A scale that all of these fit on, with room for equality and the limit. */
export function ratioScale(figures: readonly Figure[], limit: number): StripScale {
  const seen = figures.flatMap(({ value, low, high }) => [value, low, high]).filter((x) => x !== null);
  const from = Math.max(0, Math.min(0.6, ...seen) - 0.05);
  const to = Math.min(2, Math.max(1.2, ...seen) + 0.05);
  return {
    from,
    to,
    lines: [
      { at: limit, kind: "limit" },
      { at: 1, kind: "even" },
    ],
  };
}

/** How something was spread and is: grey bars before, a line now. Bars are as wide as each other. */
export function spread(bars: readonly { readonly label: string; readonly n: number; readonly reference: number }[]): Markup | null {
  const [now, before] = [bars.reduce((sum, { n }) => sum + n, 0), bars.reduce((sum, { reference }) => sum + reference, 0)];
  if (now === 0 || before === 0) return null;
  const shares = bars.map(({ label, n, reference }) => ({ label, now: n / now, before: reference / before }));
  const most = Math.max(...shares.flatMap((one) => [one.now, one.before]));
  const y = (share: number) => (40 - (share / most) * 38).toFixed(2);
  const said = shares
    .map((one) => `${one.label}: ${(one.before * 100).toFixed(1)} % before, ${(one.now * 100).toFixed(1)} % now`)
    .join("; ");
  const line = shares.map((one, i) => `${i === 0 ? "M" : "L"}${i * 10} ${y(one.now)}H${(i + 1) * 10}`).join("");
  return html`<svg class="spread" viewBox="0 0 ${bars.length * 10} 40" preserveAspectRatio="none" role="img" aria-label="${said}">
    <title>${said}</title>
    ${shares.map(
      (one, i) =>
        html`<rect class="before" x="${i * 10 + 0.5}" y="${y(one.before)}" width="9" height="${((one.before / most) * 38).toFixed(2)}" />`,
    )}
    <path class="now" d="${line}" />
  </svg>`;
}
