/** Formats that run code when they are loaded are never taken for a model, whatever the file's name says. */
import { open } from "node:fs/promises";
import type { Issue } from "../std.ts";

const startsWith =
  (...start: number[]) =>
  (bytes: Uint8Array) =>
    start.every((byte, i) => bytes[i] === byte);

const refused: readonly { readonly is: (bytes: Uint8Array) => boolean; readonly what: string }[] = [
  { is: (bytes) => bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 0) <= 5, what: "a Python pickle" },
  { is: startsWith(0x50, 0x4b, 0x03, 0x04), what: "a zip archive, as PyTorch and Keras write them" },
  { is: startsWith(0x89, 0x48, 0x44, 0x46), what: "an HDF5 file, as Keras writes them" },
  { is: startsWith(0x1f, 0x8b), what: "a gzip file, as joblib writes them" },
  { is: startsWith(0x78, 0x9c), what: "a zlib file, as joblib writes them" },
  { is: startsWith(0x3c), what: "XML, such as PMML" },
];

/** What is wrong with these first bytes of a model; undefined where they may be ONNX, which only parsing tells. */
export function formatIssue(firstBytes: Uint8Array): Issue | undefined {
  const found = refused.find(({ is }) => is(firstBytes));
  if (!found && firstBytes.length > 0) return undefined;
  return {
    path: "/blob",
    expected: "a model in ONNX format",
    got: found?.what ?? "an empty file",
    hint: "such files can run code when they are loaded; convert the model to ONNX, with skl2onnx for example",
  };
}

/** Reads as much of a file as `formatIssue` looks at. */
export async function firstBytesOf(path: string): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(16), 0, 16, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
