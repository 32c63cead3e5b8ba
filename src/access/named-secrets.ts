/** Values that aren't kept with what uses them, only their names: the server's environment has them. */
import { Type } from "typebox";
import type { Issue } from "../std.ts";
import { signingKey, type SigningKey } from "./webhook-signature.ts";

/** The server's environment has the value as EVENKEEL_SECRET_ and the name in capitals. */
export const SecretName = Type.String({ pattern: "^[a-z][a-z0-9_]{0,62}$" });

export type Secrets = Readonly<Record<string, string>>;

/** `EVENKEEL_SECRET_HOOK` */
export const variableOf = (name: string): string => `EVENKEEL_SECRET_${name.toUpperCase()}`;

/** What is wrong with a secret that something names. Never says what the secret is. */
export function secretIssues(
  path: string,
  name: string,
  secrets: Secrets,
  { isRight, expected }: { readonly isRight: (text: string) => boolean; readonly expected: string },
): readonly Issue[] {
  const text = secretNamed(secrets, name);
  if (text === undefined)
    return [
      {
        path,
        expected: "a secret that this server was started with",
        got: name,
        hint: `set ${variableOf(name)} in the server's environment`,
      },
    ];
  return isRight(text) ? [] : [{ path, expected: `${variableOf(name)} to hold ${expected}`, got: "something else" }];
}

export const secretNamed = (secrets: Secrets, name: string): string | undefined =>
  Object.hasOwn(secrets, name) ? secrets[name] : undefined;

/** A secret that webhooks are signed with, for {@link secretIssues}. */
export const SIGNING = {
  isRight: (text: string) => signingKey(text) !== undefined,
  expected: "whsec_ or whsk_ and base64: 24 to 64 bytes, or a private key of Ed25519",
};

/** The keys that secrets hold, or the name of the variable that holds none. */
export function signingKeysOf(names: readonly string[], secrets: Secrets): readonly SigningKey[] | { readonly missing: string } {
  const keys: SigningKey[] = [];
  for (const name of names) {
    const key = signingKey(secretNamed(secrets, name) ?? "");
    if (!key) return { missing: variableOf(name) };
    keys.push(key);
  }
  return keys;
}
