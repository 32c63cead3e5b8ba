import type { EvidenceView } from "../../../src/api/ui-view.ts";

const HEIGHT = 26;

/** An estimate with its band against the limit. The numbers stand beside it. */
export function BandBar({ view, label }: { view: Pick<EvidenceView, "estimate" | "band" | "limit">; label: string }) {
  const { estimate, band, limit } = view;
  const scale = bandScale(view);
  const part = (value: number) => Math.min(1, Math.max(0, (value - scale.low) / (scale.high - scale.low))) * 100;
  const at = (value: number) => `${part(value)}%`;
  const to = band.high ?? scale.high;
  return (
    <svg width="100%" height={HEIGHT} overflow="visible" role="img" aria-label={label}>
      <line x1="0" x2="100%" y1="13" y2="13" stroke="var(--line-strong)" />
      <rect x={at(band.low)} y="6" width={`${part(to) - part(band.low)}%`} height="14" fill="var(--r-bad-band)" />
      {[band.low, to].map((end) => (
        <line key={end} x1={at(end)} x2={at(end)} y1="6" y2="20" stroke="var(--r-bad)" />
      ))}
      {estimate !== null && <circle cx={at(estimate)} cy="13" r="4" fill="var(--r-bad)" />}
      <line x1={at(limit)} x2={at(limit)} y1="0" y2={HEIGHT} stroke="var(--limit)" strokeWidth="1.5" strokeDasharray="3 2" />
    </svg>
  );
}

/** From 0, or from as low as anything is, to a little beyond the highest of limit, estimate and band; a ratio always shows 1. */
export function bandScale({ estimate, band, limit }: Pick<EvidenceView, "estimate" | "band" | "limit">): { low: number; high: number } {
  const values = [limit, estimate ?? limit, band.low, band.high ?? limit];
  const low = Math.min(0, ...values);
  const high = Math.max(low + 0.01, ...values) * 1.1;
  return { low, high: limit > 0.5 ? Math.max(1, high) : high };
}

const [MOST, LEAST] = [3, -2];

/** Evidence on a logarithmic scale from 0.01 to 1,000, or to beyond the threshold where that is higher; marks at 1 and at the proof. */
export function Meter({ evidence, threshold, label }: { evidence: number; threshold: number; label: string }) {
  const most = Math.max(MOST, Math.log10(threshold) + 0.5);
  const at = (value: number) =>
    `${Math.min(1, Math.max(0, (Math.log10(Math.max(value, Number.MIN_VALUE)) - LEAST) / (most - LEAST))) * 100}%`;
  return (
    <svg width="100%" height={HEIGHT} overflow="visible" role="img" aria-label={label}>
      <rect y="8" width="100%" height="10" fill="var(--idle-soft)" />
      <rect y="8" width={at(evidence)} height="10" fill={evidence >= threshold ? "var(--r-bad)" : "var(--mark)"} />
      <line x1={at(1)} x2={at(1)} y1="4" y2="22" stroke="var(--mark)" />
      <line x1={at(threshold)} x2={at(threshold)} y1="0" y2={HEIGHT} stroke="var(--limit)" strokeWidth="1.5" strokeDasharray="3 2" />
    </svg>
  );
}
