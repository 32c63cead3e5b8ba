/** Files that people name: what is wrong with one is told with its name and, where it can be, its line and column. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseYaml } from "../yaml.ts";

const TROUBLES: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "that is a folder",
  EACCES: "it may not be read",
};

/** @param file - as it was given, which is how it is called in errors */
export async function readBytes(cwd: string, file: string): Promise<Buffer> {
  try {
    return await readFile(resolve(cwd, file));
  } catch (error) {
    const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
    throw new Error(`${file}: ${TROUBLES[code] ?? `it can't be read (${code})`}`, { cause: error });
  }
}

export async function readText(cwd: string, file: string): Promise<string> {
  return (await readBytes(cwd, file)).toString("utf8");
}

export async function readJson(cwd: string, file: string): Promise<unknown> {
  const text = await readText(cwd, file);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${file}: expected JSON, got ${error instanceof Error ? error.message : "something else"}`, { cause: error });
  }
}

/** The one document in a file of YAML. */
export async function readYaml(cwd: string, file: string): Promise<unknown> {
  const documents = parseYaml(await readText(cwd, file));
  if (!documents.ok) {
    const [issue] = documents.error;
    throw new Error(
      `${file}, line ${issue?.line ?? 1}, column ${issue?.column ?? 1}: expected ${issue?.expected ?? "YAML"}, got ${issue?.got ?? "nothing"}`,
    );
  }
  const [document, second] = documents.value;
  if (!document || second) throw new Error(`${file}: expected one document, got ${documents.value.length}`);
  return document.value;
}
