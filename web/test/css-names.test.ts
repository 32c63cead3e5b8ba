/** The types of CSS modules don't know their names: a mistyped one would quietly style nothing. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SRC = fileURLToPath(new URL("../src/", import.meta.url));
const files = readdirSync(SRC, { recursive: true, encoding: "utf8" });
const read = (path: string) => readFileSync(path, "utf8");

const imports = files
  .filter((file) => file.endsWith(".tsx"))
  .flatMap((file) => {
    const path = resolve(SRC, file);
    const text = read(path);
    return [...text.matchAll(/import (\w+) from "(\.[^"]+\.module\.css)"/g)].map(([, name = "", module = ""]) => ({
      file,
      module: resolve(dirname(path), module),
      used: new Set(
        [...text.matchAll(new RegExp(`\\b${name}\\.(\\w+)`, "g"))].map(([, used = ""]) => used).filter((used) => used !== "module"),
      ),
      isIndexed: new RegExp(`\\b${name}\\[`).test(text),
    }));
  });

const definedIn = (module: string) => new Set([...read(module).matchAll(/\.([a-zA-Z][\w-]*)/g)].map(([, name = ""]) => name));

test("every class that a component uses is there in its stylesheet", () => {
  expect(imports.length).toBeGreaterThan(10);
  expect(
    imports.flatMap(({ file, module, used }) => [...used].filter((name) => !definedIn(module).has(name)).map((name) => `${file}: ${name}`)),
  ).toEqual([]);
});

test("no stylesheet has a class that nobody uses", () => {
  const modules = [...new Set(imports.map(({ module }) => module))];
  expect(modules.toSorted()).toEqual(
    files
      .filter((file) => file.endsWith(".module.css"))
      .map((file) => resolve(SRC, file))
      .toSorted(),
  );
  const unused = modules.flatMap((module) => {
    const users = imports.filter((one) => one.module === module);
    // Names of states come from data there.
    if (users.some(({ isIndexed }) => isIndexed)) return [];
    return [...definedIn(module)]
      .filter((name) => !users.some(({ used }) => used.has(name)))
      .map((name) => `${module.slice(SRC.length)}: ${name}`);
  });
  expect(unused).toEqual([]);
});

test("every custom property that a stylesheet or a drawing uses is one of the tokens", () => {
  const defined = new Set([...read(resolve(SRC, "tokens.css")).matchAll(/(--[\w-]+):/g)].map(([, name]) => name));
  expect(defined.size).toBeGreaterThan(50);
  const used = files
    .filter((file) => /\.(css|tsx)$/.test(file))
    .flatMap((file) => [...read(resolve(SRC, file)).matchAll(/var\((--[\w-]+)/g)].map(([, name]) => ({ file, name })));
  expect(used.length).toBeGreaterThan(100);
  expect(used.filter(({ name }) => !defined.has(name))).toEqual([]);
});
