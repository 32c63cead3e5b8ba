/** Links of MLflow's own pages, which its clients print: all of the address is behind a `#`, where no server sees it. Pure. */

/** What such a link is to. */
export type MlflowAddress =
  | { readonly kind: "run"; readonly run: string }
  | { readonly kind: "experiment"; readonly id: string }
  | { readonly kind: "model"; readonly name: string; readonly version: string | undefined };

/** @param hash - of the address, with or without `#`; undefined where it is no such link */
export function mlflowAddress(hash: string): MlflowAddress | undefined {
  const [path = ""] = hash.replace(/^#/, "").split("?");
  const [, first, second = "", third, fourth = ""] = path.split("/").map(decoded);
  if (first === "experiments" && /^\d+$/.test(second)) {
    const run = third === "runs" ? runId(fourth) : undefined;
    return run === undefined ? { kind: "experiment", id: second } : { kind: "run", run };
  }
  if (first !== "models" || second === "") return undefined;
  return { kind: "model", name: second, version: third === "versions" && fourth !== "" ? fourth : undefined };
}

/** MLflow writes the 32 digits of a run without dashes. */
export function runId(text: string): string | undefined {
  const digits = /^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$/i.exec(text)?.slice(1);
  return digits?.join("-").toLowerCase();
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
