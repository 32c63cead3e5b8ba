import { join } from "node:path";
import { unreachable } from "../../std.ts";
import { NdjsonTarget } from "./ndjson-target.ts";
import type { SinkSpec, SinkSurroundings } from "./spec.ts";
import { DeliveryFailed, type SinkTarget } from "./target.ts";

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
  switch (target.kind) {
    case "ndjson":
      return new NdjsonTarget(join(parts.folder, "sinks", name), target);
    case "parquet":
    case "mongodb":
    case "http":
      throw new DeliveryFailed("not here yet");
    default:
      return unreachable(target);
  }
}
