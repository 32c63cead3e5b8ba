import { iso } from "../format.ts";

/** A moment, with the whole of it in ISO 8601 as its title. */
export function Time({ ms, children }: { ms: number; children: string }) {
  return (
    <time dateTime={iso(ms)} title={iso(ms)}>
      {children}
    </time>
  );
}
