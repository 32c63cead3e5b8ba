/** Files that a user names: read, or refused in a sentence that says what is wrong with which. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Issue } from "../std.ts";
import { parseYaml } from "../yaml.ts";
import { issueLine } from "./io.ts";

/** A file that isn't there or isn't what was expected; `main` shows the sentence and exits 1. */
export class FileError extends Error {
  override readonly name = "FileError";
}

const TROUBLES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder, not a file",
  EACCES: "this user may not read it",
};

export async function readBytes(cwd: string, file: string): Promise<Buffer> {
  try {
    return await readFile(resolve(cwd, file));
  } catch (error) {
    const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
    throw new FileError(`${file} can't be read: ${TROUBLES[code] ?? (error instanceof Error ? error.message : String(error))}`, {
      cause: error,
    });
  }
}

export const readText = async (cwd: string, file: string): Promise<string> => (await readBytes(cwd, file)).toString("utf8");

export async function readJson(cwd: string, file: string): Promise<unknown> {
  const text = await readText(cwd, file);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FileError(`${file} is no JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** More than this on standard input is a mistake. */
const INPUT_MAX = 512 * 1024 * 1024;

/** What is piped in, as JSON. */
export async function readStandardInput(): Promise<unknown> {
  if (process.stdin.isTTY) throw new FileError("nothing is piped in: JSON is read from standard input, or from --file");
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of process.stdin) {
    const buffer = Buffer.from(piece);
    bytes += buffer.length;
    if (bytes > INPUT_MAX) throw new FileError(`standard input is larger than ${INPUT_MAX / 1024 / 1024} MiB`);
    pieces.push(buffer);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString("utf8"));
  } catch (error) {
    throw new FileError(`standard input is no JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** One document of YAML, or JSON, which is YAML too. */
export async function readYaml(cwd: string, file: string): Promise<unknown> {
  const documents = parseYaml(await readText(cwd, file));
  if (!documents.ok) throw new FileError(brokenText(`${file} is no YAML:`, documents.error));
  const [document, ...more] = documents.value;
  if (!document || more.length > 0) throw new FileError(`${file} should have one YAML document, and has ${documents.value.length}`);
  return document.value;
}

export const brokenText = (what: string, issues: readonly Issue[]): string => [what, ...issues.map(issueLine)].join("\n");

/** Whether an option that may name something registered, or a file, names a file. */
export const isFile = (text: string): boolean => /[.](ya?ml|json)$/.test(text);
