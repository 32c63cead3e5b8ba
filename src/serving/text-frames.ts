/** The texts of a batch on their way to a scorer process, which has no room for what `text-codes.ts` needs. */
import type { TextColumns } from "./text-codes.ts";

/** Bytes of the texts of so many rows at most, as `encodeTexts` writes them: an input's text has 1,000 characters. */
export const textBytesOf = (columns: number, rows: number): number => columns * rows * 6100;

/** The texts that rows speak of, for a process that knows none: for each column its place, then codes and texts in turn. */
export function encodeTexts(rows: Float32Array, width: number, columns: TextColumns): Uint8Array {
  const said = [...columns].map(([column, codes]) => {
    const known = new Set<number>();
    for (let at = column; at < rows.length; at += width) known.add(rows[at] ?? 0);
    return [column, ...[...known].flatMap((code) => (code > 0 ? [code, codes.textOf(code)] : []))];
  });
  return Buffer.from(JSON.stringify(said));
}

/** What turns the code in a column back. */
export type TextOf = (column: number, code: number) => string;

/** @throws Error when these aren't the texts of `encodeTexts` */
export function decodeTexts(bytes: Uint8Array): TextOf {
  const columns = new Map<number, ReadonlyMap<number, string>>();
  for (const [column, ...said] of asTexts(JSON.parse(Buffer.from(bytes).toString()))) {
    const texts = new Map<number, string>();
    for (let i = 0; i < said.length; i += 2) texts.set(Number(said[i]), String(said[i + 1]));
    columns.set(Number(column), texts);
  }
  return (column, code) => columns.get(column)?.get(code) ?? NOTHING;
}
/** Written by `encodeTexts` of the same version. */
const NOTHING = "";
const asTexts = (value: unknown) => value as readonly (readonly (number | string)[])[];
