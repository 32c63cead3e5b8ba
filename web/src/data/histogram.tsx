import { rate } from "../format.ts";

const [WIDTH, HEIGHT] = [96, 22];

interface Bin {
  readonly label: string;
  readonly before: number;
  readonly after: number;
}

/** Shares of the bins of a column: bars before, a line after. All bins are as wide, so that codes and quantiles can be seen. */
export function Histogram({ bins }: { bins: readonly Bin[] }) {
  const [before, after] = [bins.reduce((sum, bin) => sum + bin.before, 0), bins.reduce((sum, bin) => sum + bin.after, 0)];
  const shares = bins.map((bin) => ({ label: bin.label, before: bin.before / Math.max(1, before), after: bin.after / Math.max(1, after) }));
  const most = Math.max(0.0001, ...shares.flatMap((share) => [share.before, share.after]));
  const step = WIDTH / Math.max(1, shares.length);
  const y = (share: number) => HEIGHT - 1 - (share / most) * (HEIGHT - 2);
  const [moved] = shares.toSorted((a, b) => Math.abs(b.after - b.before) - Math.abs(a.after - a.before));
  const line = shares.map(({ after: share }, i) => `${i === 0 ? "M" : "L"}${at(i * step)} ${at(y(share))}H${at((i + 1) * step)}`).join("");
  const said = moved ? `moved most at ${moved.label}: ${rate(moved.before)} before, ${rate(moved.after)} after` : "no values";
  return (
    <svg width={WIDTH} height={HEIGHT} role="img" aria-label={said}>
      <title>{said}</title>
      {shares.map(({ label, before: share }, i) => (
        <rect
          key={label}
          x={at(i * step)}
          y={at(y(share))}
          width={at(Math.max(0.5, step - 0.5))}
          height={at(HEIGHT - 1 - y(share))}
          fill="var(--line-strong)"
        />
      ))}
      <path d={line} fill="none" stroke="var(--r-bad)" strokeWidth="1.25" />
    </svg>
  );
}

const at = (value: number): number => Math.round(value * 10) / 10;
