/** The training matrix between the steps of the pipeline: one file, a line of JSON that says its shape, then plain numbers. */
import { readFileSync, writeFileSync } from "node:fs";

export interface Matrix {
  readonly names: readonly string[];
  /** Row keys, as in the source. */
  readonly ids: Int32Array;
  /** 1 where the loan was repaid. */
  readonly labels: Uint8Array;
  /** Row-major, `ids.length` by `names.length`. */
  readonly x: Float32Array;
}

export function writeMatrix(path: string, { names, ids, labels, x }: Matrix): void {
  const head = Buffer.from(`${JSON.stringify({ names, rows: ids.length })}\n`);
  const padding = Buffer.alloc((4 - (head.length % 4)) % 4, 0x20);
  writeFileSync(path, Buffer.concat([padding, head, Buffer.from(ids.buffer), Buffer.from(x.buffer), Buffer.from(labels.buffer)]));
}

export function readMatrix(path: string): Matrix {
  const bytes = readFileSync(path);
  const end = bytes.indexOf(0x0a) + 1;
  const { names, rows } = asHead(JSON.parse(bytes.toString("utf8", 0, end)));
  // A copy, because a buffer from the pool may not begin at a multiple of four.
  const body = bytes.buffer.slice(bytes.byteOffset + end, bytes.byteOffset + bytes.length);
  const width = names.length;
  return {
    names,
    ids: new Int32Array(body, 0, rows),
    x: new Float32Array(body, rows * 4, rows * width),
    labels: new Uint8Array(body, rows * 4 + rows * width * 4, rows),
  };
}

/** `writeMatrix` wrote it. */
const asHead = (value: unknown): { readonly names: readonly string[]; readonly rows: number } => value as { names: string[]; rows: number };

/** Area under the ROC curve: the chance that a repaid loan has the higher score, ties counting half. */
export function auc(scores: ArrayLike<number>, labels: Uint8Array): number {
  const order = Array.from(labels, (_, i) => i).toSorted((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0));
  let rankSum = 0;
  let positives = 0;
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to < order.length && scores[order[to] ?? 0] === scores[order[from] ?? 0]) to++;
    for (let i = from; i < to; i++) {
      if (labels[order[i] ?? 0] !== 1) continue;
      rankSum += (from + to + 1) / 2;
      positives++;
    }
    from = to;
  }
  const negatives = order.length - positives;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
