import { audit } from "./audit.ts";
import { token } from "./token.ts";
import { up } from "./up.ts";
import type { Verb } from "./verb.ts";

/** In the order of the help. */
export const verbs: readonly Verb[] = [up, token, audit];
