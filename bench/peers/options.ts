/** How the comparison is asked for on the command line. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { err, ok, type Result } from "../../src/std.ts";
import { PEERS, type PeerName } from "./peers.ts";

/** Where the environments are kept. */
export const ROOT = join(tmpdir(), "evenkeel-peers");

export const HELP = `Evenkeel beside other model servers: the same models, people and client

usage: npm run bench:peers -- [--only <peer,…>] [--seconds <n>] [--json]

  --only     these beside Evenkeel: ${PEERS.join(", ")}
  --seconds  how long each row is measured (default 3)
  --json     one JSON object instead of tables

Needs Python 3.11 or newer and its package index once (some 3 GB in ${ROOT}, which later runs find there);
what can't be had is named, and the run goes on without it. Nothing else should run on the machine.`;

export interface Options {
  readonly only: readonly PeerName[];
  readonly durationMs: number;
  readonly isJson: boolean;
}

/** What was asked for, or what is wrong with it. */
export function parseOptions(args: readonly string[]): Result<Options | "help", string> {
  const read = readable(args);
  if (!read.ok) return read;
  const { only, seconds, json, help } = read.value;
  if (help) return ok("help");
  const names = only.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !PEERS.some((peer) => peer === name));
  if (unknown !== undefined) return err(`there is no peer "${unknown}"; these are: ${PEERS.join(", ")}`);
  const durationMs = Number(seconds) * 1000;
  if (!(durationMs > 0 && durationMs <= 3_600_000)) return err(`--seconds takes a positive number up to 3600, not "${seconds}"`);
  return ok({ only: PEERS.filter((name) => names.includes(name)), durationMs, isJson: json });
}

function readable(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        only: { type: "string", default: PEERS.join(",") },
        seconds: { type: "string", default: "3" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
    return ok(values);
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
}
