/** Sizes of memory as people write them. */
import { totalmem } from "node:os";
import { UsageError } from "./verb.ts";

const UNITS: Readonly<Record<string, number>> = { MB: 1e6, GB: 1e9, TB: 1e12, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
/** Less holds no model. */
const LEAST_BYTES = 32e6;

/** @throws UsageError */
export function memorySize(option: string, text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([MGT]i?B)$/.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * (UNITS[unit ?? ""] ?? Number.NaN));
  if (bytes >= LEAST_BYTES && bytes <= Number.MAX_SAFE_INTEGER) return bytes;
  throw new UsageError(`${option} takes a size from 32MB on, such as 512MB, 2GB or 1.5GiB, not "${text}"`);
}

/** Half of what the container may have, or of what the machine has: the other half is for the server, the database's cache and others. */
export function defaultMemoryBudget(): number {
  const constrained = process.constrainedMemory();
  return Math.floor((constrained > 0 ? Math.min(constrained, totalmem()) : totalmem()) / 2);
}
