import { count } from "../format.ts";

const [WIDTH, HEIGHT] = [132, 24];

/** A line over time, from zero to its own maximum. */
export function Spark({ values, label }: { values: readonly number[]; label: string }) {
  const path = sparkPath(values, { width: WIDTH, height: HEIGHT });
  const most = Math.max(0, ...values);
  return (
    <svg width={WIDTH} height={HEIGHT} role="img" aria-label={`${label}: ${values.length === 0 ? "none yet" : `at most ${count(most)}`}`}>
      {path && (
        <>
          <path d={`${path}L${WIDTH - 1} ${HEIGHT - 1}L1 ${HEIGHT - 1}Z`} fill="var(--idle-soft)" />
          <path d={path} fill="none" stroke="var(--mark)" strokeWidth="1.25" strokeLinejoin="round" />
        </>
      )}
    </svg>
  );
}

/** @returns the line as an SVG path, empty for fewer than two values; 0 lies on the bottom, the largest value 3 px under the top */
export function sparkPath(values: readonly number[], { width, height }: { readonly width: number; readonly height: number }): string {
  if (values.length < 2) return "";
  const most = Math.max(1, ...values);
  const step = (width - 2) / (values.length - 1);
  return values
    .map((value, i) => `${i === 0 ? "M" : "L"}${tenth(1 + i * step)} ${tenth(height - 1 - (value / most) * (height - 4))}`)
    .join("");
}

const tenth = (value: number): number => Math.round(value * 10) / 10;
