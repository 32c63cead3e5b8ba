import type { BlameView } from "../../../src/api/ui-view.ts";
import { points, rate } from "../format.ts";

/** How much of a whole, as a bar. The number stands beside it. */
export function ShareBar({ share, isNamed }: { share: number; isNamed: boolean }) {
  return (
    <svg width="100%" height="12" aria-hidden="true">
      <rect y="1" width="100%" height="10" fill="var(--idle-soft)" />
      <rect y="1" width={`${Math.min(1, Math.max(0, share)) * 100}%`} height="10" fill={isNamed ? "var(--r-bad)" : "var(--a-deny)"} />
    </svg>
  );
}

/** A scale for bars to both sides of 0. */
export interface Scale {
  readonly low: number;
  readonly high: number;
}

/** From the lowest to the highest end of any interval, with 0 always in it. */
export function scaleOf(ranges: readonly { readonly low: number; readonly high: number; readonly share: number }[]): Scale {
  const low = Math.min(0, ...ranges.flatMap((range) => [range.low, range.share]));
  const high = Math.max(0, ...ranges.flatMap((range) => [range.high, range.share]));
  return low === high ? { low: -0.01, high: 0.01 } : { low, high };
}

/** Percent of the scale's width. */
const at = (value: number, { low, high }: Scale): number => ((value - low) / (high - low)) * 100;

/** One share of the harm: a bar from 0 with its 95 % interval. Pale where the interval holds 0; coloured only where the verdict names it. */
export function Diverging({
  part,
  scale,
}: {
  part: Pick<BlameView["parts"][number], "share" | "low" | "high"> & { isNamed?: boolean };
  scale: Scale;
}) {
  const [zero, end] = [at(0, scale), at(part.share, scale)];
  const isPale = part.low <= 0 && part.high >= 0;
  const [low, high] = [`${at(part.low, scale)}%`, `${at(part.high, scale)}%`];
  return (
    <svg
      width="100%"
      height="22"
      overflow="visible"
      role="img"
      aria-label={`${points(part.share)} points, between ${points(part.low)} and ${points(part.high)}`}
    >
      <rect
        x={`${Math.min(zero, end)}%`}
        y="4"
        width={`${Math.abs(end - zero)}%`}
        height="14"
        fill={part.isNamed ? "var(--r-bad)" : "var(--a-deny)"}
        opacity={isPale ? 0.4 : 1}
      />
      <g stroke="var(--text)" strokeWidth="1.25">
        <line x1={low} x2={high} y1="11" y2="11" />
        <line x1={low} x2={low} y1="7" y2="15" />
        <line x1={high} x2={high} y1="7" y2="15" />
      </g>
      <line x1={`${zero}%`} x2={`${zero}%`} y1="0" y2="22" stroke="var(--mark)" />
    </svg>
  );
}

/** Says a share where the bar is hidden from some. */
export const shareSaid = (part: number | null, whole: number | null): string =>
  part === null || whole === null ? "n < 10" : whole === 0 ? "" : rate(part / whole);
