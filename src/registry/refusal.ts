/** Why the registry didn't do it. Nothing was written. */
import type { Issue } from "../std.ts";

export type Refusal =
  /** Something in what was sent. */
  | { readonly kind: "invalid"; readonly issues: readonly Issue[] }
  /** No such thing; `hint` says what there is. */
  | { readonly kind: "unknown"; readonly what: string; readonly name: string; readonly hint?: string }
  /** Whoever asks may not do that. */
  | { readonly kind: "forbidden"; readonly message: string }
  /** It contradicts what is there. */
  | { readonly kind: "conflict"; readonly message: string };

export const invalid = (issues: readonly Issue[]): Refusal => ({ kind: "invalid", issues });
export const unknown = (what: string, name: string, hint?: string): Refusal => ({ kind: "unknown", what, name, ...(hint ? { hint } : {}) });
export const conflict = (message: string): Refusal => ({ kind: "conflict", message });
export const forbidden = (message: string): Refusal => ({ kind: "forbidden", message });
