/** Which methods an address takes, for whoever comes with another one. */

export class MethodsByAddress {
  readonly #routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];

  /** @param path - as routes declare it: `/v1/endpoints/:endpoint`. What takes any address below it says nothing of those that there are */
  add(path: string, method: string | readonly string[]): void {
    if (path.includes("*")) return;
    const segments = path.split("/").map((part) => (part.startsWith(":") ? "[^/]+" : part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")));
    this.#routes.push({ pattern: new RegExp(`^${segments.join("/")}$`), methods: [method].flat() });
  }

  /** Sorted; none where there is no such address. */
  of(path: string): readonly string[] {
    return [...new Set(this.#routes.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))].toSorted();
  }
}
