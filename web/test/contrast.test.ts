/** The colours of tokens.css: text reaches 4.5:1 on every surface it is used on, marks and borders of controls 3:1, in both themes. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync(new URL("../src/tokens.css", import.meta.url), "utf8");

function block(selector: string): Readonly<Record<string, string>> {
  const from = css.indexOf(`${selector} {`);
  expect(from, `tokens.css has a block "${selector}"`).toBeGreaterThanOrEqual(0);
  const body = css.slice(css.indexOf("{", from) + 1, css.indexOf("}", from));
  return Object.fromEntries([...body.matchAll(/(--[\w-]+):\s*([^;]+);/g)].map(([, name, value]) => [name ?? "", value ?? ""]));
}

const light = block("\n:root");
const dark = block('[data-theme="dark"]');
const themes = [
  ["light", light],
  ["dark", dark],
] as const;

const surfaces = ["--canvas", "--surface", "--sunken"];
const texts = ["--text", "--text-2", "--text-3", "--accent", "--danger", "--ok", "--watch", "--breach", "--idle"];
const roles = ["--r-live", "--r-canary", "--r-bad", "--r-shadow", "--r-standby", "--r-fallback"];
const onSoft = ["ok", "watch", "breach", "idle"].map((state) => [`--${state}`, `--${state}-soft`] as const);
const textPairs = [
  ...surfaces.flatMap((surface) => [...texts, ...roles].map((text) => [text, surface] as const)),
  ...onSoft,
  ...["--text", "--text-2"].flatMap((text) =>
    ["--hover", "--selected", "--watch-soft", "--breach-soft", "--accent-soft"].map((on) => [text, on] as const),
  ),
  ["--text-on-fill", "--accent"],
  ["--text-on-fill", "--accent-hover"],
  ["--text-on-fill", "--danger"],
  ["--axis", "--canvas"],
] as const;
const markPairs = ["--line-control", "--focus", "--a-approve", "--a-refer", "--a-deny", "--mark", "--limit"].flatMap((mark) =>
  ["--canvas", "--surface"].map((surface) => [mark, surface] as const),
);

test.each(themes)("%s: every text can be read on what it stands on", (_, theme) => {
  expect(failures(theme, textPairs, 4.5)).toEqual([]);
});

test.each(themes)("%s: every mark and every control's border can be seen", (_, theme) => {
  expect(failures(theme, markPairs, 3)).toEqual([]);
});

test("dark is the same when the system asks for it and when somebody chooses it", () => {
  expect(block("  :root:not([data-theme])")).toEqual(dark);
});

test("no colour of one theme is missing in the other", () => {
  const isColour = ([, value]: [string, string]) => /^(#|rgb)/.test(value);
  expect(Object.keys(dark).filter((name) => name !== "--shadow-pop")).toEqual(
    Object.entries(light)
      .filter(isColour)
      .map(([name]) => name),
  );
});

function failures(theme: Readonly<Record<string, string>>, pairs: readonly (readonly [string, string])[], least: number): string[] {
  expect(pairs.length).toBeGreaterThan(10);
  return pairs.flatMap(([front, back]) => {
    const got = contrast(luminance(theme[front]), luminance(theme[back]));
    return got >= least ? [] : [`${front} on ${back}: ${got.toFixed(2)}`];
  });
}

/** WCAG 2.2, relative luminance. */
function luminance(hex: string | undefined): number {
  const digits = /^#([0-9a-f]{6})$/.exec(hex ?? "")?.[1];
  if (digits === undefined) throw new Error(`not a colour of six digits: ${hex}`);
  const [r = 0, g = 0, b = 0] = [0, 2, 4].map((i) => {
    const part = Number.parseInt(digits.slice(i, i + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const contrast = (a: number, b: number): number => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
