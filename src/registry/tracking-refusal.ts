/** Why something asked for in MLflow's protocol wasn't done, in MLflow's own words: its users and its tests look for them. */
import { err } from "../std.ts";

export interface TrackingRefusal {
  readonly kind: "missing" | "exists" | "invalid";
  readonly message: string;
}

const refused = (kind: TrackingRefusal["kind"]) => (message: string) => err<TrackingRefusal>({ kind, message });
export const missing = refused("missing");
export const exists = refused("exists");
export const bad = refused("invalid");
