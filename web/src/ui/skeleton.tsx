import css from "./skeleton.module.css";

/** Stands in for what is loading, at its final size; shows after 200 ms only. */
export function Skeleton({ label, heights }: { label: string; heights: readonly number[] }) {
  return (
    <output className={css.skeleton}>
      <span className={css.label}>{label}</span>
      {heights.map((height, i) => (
        <svg key={i} width="100%" height={height} aria-hidden="true">
          <rect width={i % 2 === 0 ? "100%" : "62%"} height="100%" rx="4" fill="var(--idle-soft)" />
        </svg>
      ))}
    </output>
  );
}
