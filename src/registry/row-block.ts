/**
 * Some hundred rows that are counted together, column by column: what is counted of one column fits a processor's nearest memory, that of all
 * columns and groups doesn't.
 */

export const BLOCK_ROWS = 256;

export class RowBlock {
  /** Rows that are in it. */
  rows = 0;
  /** Of each row: in which parts of every column it counts. */
  readonly places: Int32Array[] = [];
}
