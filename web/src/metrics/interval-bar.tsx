import { ratioSaid, type Answer } from "./words.ts";

const HEIGHT = 16;

/** A number with its interval on a scale from 0. The number stands beside it. */
export function IntervalBar({
  answer: { value, interval },
  high,
  limit,
  isBad = false,
}: {
  answer: Pick<Answer, "value" | "interval">;
  high: number;
  limit?: number;
  isBad?: boolean;
}) {
  if (value === null) return null;
  const at = (x: number) => `${Math.min(1, Math.max(0, x / high)) * 100}%`;
  const colour = isBad ? "var(--r-bad)" : "var(--mark)";
  const said = interval ? `between ${ratioSaid(interval.low)} and ${ratioSaid(interval.high)}` : "without an interval";
  return (
    <svg width="100%" height={HEIGHT} role="img" aria-label={said}>
      <title>{said}</title>
      <line x1="0" x2="100%" y1="8" y2="8" stroke="var(--line-strong)" />
      {interval && <line x1={at(interval.low)} x2={at(interval.high)} y1="8" y2="8" stroke={colour} strokeWidth="4" opacity="0.45" />}
      <circle cx={at(value)} cy="8" r="3.5" fill={colour} />
      {limit !== undefined && (
        <line x1={at(limit)} x2={at(limit)} y1="0" y2={HEIGHT} stroke="var(--limit)" strokeWidth="1.5" strokeDasharray="3 2" />
      )}
    </svg>
  );
}
