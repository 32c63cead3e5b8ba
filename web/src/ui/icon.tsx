import type { ReactNode } from "react";

const ring = <circle cx="8" cy="8" r="6.25" />;

/** Own set, 16 px, stroke 1.5. States differ by shape, so that they can be told apart without colour. */
const drawings = {
  run: (
    <>
      {ring}
      <path d="M6.5 5.3l4.2 2.7-4.2 2.7z" />
    </>
  ),
  model: <path d="M8 1.8l5.4 3.1v6.2L8 14.2l-5.4-3.1V4.9zM2.6 4.9L8 8l5.4-3.1M8 8v6.2" />,
  home: <path d="M2.2 7.4L8 2.4l5.8 5M3.8 6.4v7h8.4v-7" />,
  tick: (
    <>
      {ring}
      <path d="M5.2 8.2l2 2 3.6-4.2" />
    </>
  ),
  triangle: (
    <>
      <path d="M8 1.9l6.4 11.4H1.6z" />
      <path d="M8 6.4v3.2M8 11.3v.2" />
    </>
  ),
  octagon: (
    <>
      <path d="M5.2 1.6h5.6l3.6 3.6v5.6l-3.6 3.6H5.2l-3.6-3.6V5.2z" />
      <path d="M8 4.6v4M8 10.9v.3" />
    </>
  ),
  waiting: <circle cx="8" cy="8" r="6.25" strokeDasharray="2.2 2.2" />,
  live: (
    <>
      {ring}
      <circle cx="8" cy="8" r="3" fill="currentColor" stroke="none" />
    </>
  ),
  canary: (
    <>
      {ring}
      <path d="M8 8V1.75A6.25 6.25 0 0 1 13.9 6z" fill="currentColor" stroke="none" />
    </>
  ),
  shadow: (
    <>
      <circle cx="8" cy="8" r="6.25" strokeDasharray="2.4 2" />
      <circle cx="8" cy="8" r="2.2" />
    </>
  ),
  standby: (
    <>
      {ring}
      <path d="M6.4 5.6v4.8M9.6 5.6v4.8" />
    </>
  ),
  fallback: <path d="M8 1.8l5.4 2v4.1c0 3.1-2.2 5.4-5.4 6.4-3.2-1-5.4-3.3-5.4-6.4V3.8z" />,
  back: (
    <>
      <path d="M6.2 3L2.6 6.6l3.6 3.6" />
      <path d="M2.8 6.6h6.6a4 4 0 0 1 0 8H7" />
    </>
  ),
  condemned: (
    <>
      {ring}
      <path d="M3.6 3.6l8.8 8.8" />
    </>
  ),
  data: (
    <>
      <ellipse cx="8" cy="3.9" rx="5.4" ry="2.1" />
      <path d="M2.6 3.9v8.2c0 1.2 2.4 2.1 5.4 2.1s5.4-.9 5.4-2.1V3.9M2.6 8c0 1.2 2.4 2.1 5.4 2.1s5.4-.9 5.4-2.1" />
    </>
  ),
  download: <path d="M8 2v8.4M4.6 7.2L8 10.6l3.4-3.4M2.6 13.6h10.8" />,
  box: <path d="M8 1.8l5.4 3v6.4L8 14.2l-5.4-3V4.8zM2.6 4.8L8 7.9l5.4-3.1M8 7.9v6.3" />,
  person: (
    <>
      <circle cx="6" cy="5.2" r="2.6" />
      <path d="M1.6 13.4c.4-2.8 2.1-4.2 4.4-4.2 1 0 1.9.3 2.6.8M9.6 12l1.7 1.7 3.1-3.6" />
    </>
  ),
  search: (
    <>
      <circle cx="7" cy="7" r="4.6" />
      <path d="M10.4 10.4l3.6 3.6" />
    </>
  ),
  record: (
    <>
      <rect x="3" y="1.8" width="10" height="12.4" rx="1" />
      <path d="M5.6 5.4h4.8M5.6 8h4.8M5.6 10.6h2.8" />
    </>
  ),
  copy: (
    <>
      <rect x="5.4" y="5.4" width="8.2" height="8.2" rx="1.2" />
      <path d="M10.6 5.2V3.4a1 1 0 0 0-1-1H3.4a1 1 0 0 0-1 1v6.2a1 1 0 0 0 1 1h1.8" />
    </>
  ),
  lock: (
    <>
      <rect x="3.2" y="7" width="9.6" height="6.6" rx="1.2" />
      <path d="M5.2 7V5a2.8 2.8 0 0 1 5.6 0v2" />
    </>
  ),
} as const satisfies Record<string, ReactNode>;

export type IconName = keyof typeof drawings;

/** Always beside a word, so hidden from screen readers. */
export function Icon({ name, size = 14, className }: { name: IconName; size?: number; className?: string | undefined }) {
  return (
    <svg
      className={className}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {drawings[name]}
    </svg>
  );
}

/** Evenkeel's mark: a hull that floats level. */
export function Logo() {
  return (
    <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
      <path d="M2 9.2h16c-.7 4.6-3.9 7.3-8 7.3s-7.3-2.7-8-7.3z" fill="var(--accent)" />
      <path d="M1.2 6.4h17.6M10 2.2v4" stroke="var(--text)" strokeWidth="1.6" strokeLinecap="round" />
    </svg>
  );
}
