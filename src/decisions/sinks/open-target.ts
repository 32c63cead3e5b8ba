import { join } from "node:path";
import { unreachable } from "../../std.ts";
import { HttpTarget } from "./http-target.ts";
import { MongodbTarget } from "./mongodb-target.ts";
import { NdjsonTarget } from "./ndjson-target.ts";
import { ParquetTarget } from "./parquet-target.ts";
import type { SinkSpec, SinkSurroundings } from "./spec.ts";
import type { SinkTarget } from "./target.ts";

export interface TargetParts extends Pick<SinkSurroundings, "egress" | "secrets"> {
  /** Of the store: sinks of files have theirs in it. */
  readonly folder: string;
  /** Tells this installation from others that deliver to the same place. */
  readonly installation: string;
  readonly nowMs: () => number;
  /** Told what a person should know and nothing fails for. */
  readonly onTrouble: (message: string) => void;
}

/** Makes ready what a sink delivers to; nothing is connected yet. */
export function openTarget({ name, target }: SinkSpec, parts: TargetParts): SinkTarget {
  const { egress, secrets, installation, nowMs, onTrouble } = parts;
  const folder = join(parts.folder, "sinks", name);
  switch (target.kind) {
    case "ndjson":
      return new NdjsonTarget(folder, target);
    case "parquet":
      return new ParquetTarget(folder, target);
    case "mongodb":
      return new MongodbTarget({ spec: target, secrets, onTrouble });
    case "http":
      return new HttpTarget({ name, spec: target, egress, secrets, installation, nowMs });
    default:
      return unreachable(target);
  }
}
