import { commandLine } from "../src/cli/command-line.ts";
import type { Io } from "../src/cli/io.ts";

/** A call of the command line, ended. Each line of what it said ends with a newline. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Calls the command line in this process, with what it says kept. */
export async function said(words: readonly string[], env: Readonly<Record<string, string>>, folder: string): Promise<Said> {
  let [out, err] = ["", ""];
  const io: Io = {
    isTerminal: false,
    out: (text) => void (out += `${text}\n`),
    note: (text) => void (err += `${text}\n`),
    progress: () => undefined,
    dropped: () => 0,
  };
  const code = await commandLine(words, io, env, folder);
  return { code, out, err };
}
