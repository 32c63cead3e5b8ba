/** Milliseconds since 1970 as ISO 8601 in UTC: integers inside, text at the edge. */
export const iso = (atMs: number): string => new Date(atMs).toISOString();
