import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EXPERIMENT_GRAMMAR, RUN_GRAMMAR } from "./run-search.ts";
import { parseFilter, parseOrder } from "./search-filter.ts";

const read = (text: string) => {
  const parsed = parseFilter(text, RUN_GRAMMAR);
  return parsed.ok
    ? parsed.value.map(({ entity, key, operator, value }) => `${entity} ${key} ${operator} ${JSON.stringify(value)}`)
    : parsed.error;
};

describe("a filter", () => {
  test.each([
    ["", []],
    ["metrics.auc > 0.8", ["metric auc > 0.8"]],
    ["metric.auc>=-1e-3 and params.C = '1.0'", ["metric auc >= -0.001", 'param C = "1.0"']],
    [
      "tags.mlflow.user = 'ana' AND tag.`mlflow.loggedArtifacts` LIKE '%a%'",
      ['tag mlflow.user = "ana"', 'tag mlflow.loggedArtifacts LIKE "%a%"'],
    ],
    ['params."a b" ILIKE "X_"', ['param a b ILIKE "X_"']],
    ["run_id IN ('a', 'b') AND status != 'FAILED'", ['attribute run_id IN ["a","b"]', 'attribute status != "FAILED"']],
    ["attributes.start_time > 5 AND `Run name` = 'it''s'", ["attribute start_time > 5", 'attribute run_name = "it\'s"']],
    ["tags.t is  not null and params.p IS NULL", ["tag t IS NOT NULL null", "param p IS NULL null"]],
    ["dataset.name not in ('x') and created<9", ['dataset name NOT IN ["x"]', "attribute start_time < 9"]],
    ["metrics.auc > 1 AND ", ["metric auc > 1"]],
  ])("%j is read as its comparisons", (text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  test.each([
    ["metrics.auc > 1 OR metrics.b > 2", "Invalid clause(s) in filter string: 'OR' (at character 17)"],
    ["foo = 'x'", /^Invalid attribute key 'foo' specified. Valid keys are '\{'run_id', .*\(at character 1\)$/],
    [
      "foo.bar = 'x'",
      "Invalid entity type 'foo'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset'] (at character 1)",
    ],
    ["params.a = 5", "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 5 (at character 12)"],
    ["metrics.a = 'a'", "Expected numeric value type for metric. Found 'a' (at character 13)"],
    ["start_time > '1'", "Expected numeric value type for numeric attribute: start_time. Found '1' (at character 14)"],
    ["status IN ('a')", "Only the 'run_id' attribute supports comparison with a list of quoted string values. (at character 8)"],
    ["metrics.a >> 1", /^Invalid comparator '>>' not one of '\{/],
    ["metrics.a LIKE 'x'", /^Invalid comparator 'LIKE' not one of/],
    ["1 = 1", "Invalid comparison clause. Expected 'Identifier' found '1' (at character 1)"],
    ["dataset.size = 'x'", /^Invalid dataset key 'size' specified/],
    ["params.a = 'x", "Invalid filter string: ' is never closed (at character 12)"],
    ["params.a = 'x'; drop table run", /^Invalid clause\(s\) in filter string: ';'/],
    ["(params.a = 'x')", /^Invalid comparison clause. Expected 'Identifier' found '\(params.a'/],
    ["NOT params.a = 'x'", /^Invalid attribute key 'NOT'/],
    ["run_id IN 'a'", /^Expected a list of quoted string values/],
    [Array.from({ length: 1000 }, () => "metrics.a > 1").join(" AND "), /^A filter can have at most 100 comparisons/],
    [`params.a = '${"x".repeat(40_000)}'`, /^A filter can have at most 32000 characters/],
  ])("%j is refused with its place", (text, expected) => {
    expect(read(text)).toEqual(typeof expected === "string" ? expected : expect.stringMatching(expected));
  });

  test("whatever the text, is read or refused, and never takes long", () => {
    const pieces = fc.constantFrom(
      "metrics.",
      "params.a",
      "tags.`",
      "'",
      '"',
      " AND ",
      " IN (",
      ")",
      ">",
      "=",
      "LIKE",
      "1e999",
      "\0",
      ";",
      "--",
      "\u{1f600}",
      ",",
      "is null",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces, { maxLength: 40 }).map((all) => all.join("")),
        ),
        (text) => {
          for (const grammar of [RUN_GRAMMAR, EXPERIMENT_GRAMMAR]) {
            const parsed = parseFilter(text, grammar);
            expect(parsed.ok ? null : parsed.error).toSatisfy((error) => error === null || /\(at character \d+\)$/.test(error));
          }
        },
      ),
    );
  });
});

test("an order is a field and perhaps a direction", () => {
  expect(parseOrder("metrics.auc DESC", RUN_GRAMMAR)).toEqual({ ok: true, value: { entity: "metric", key: "auc", isDescending: true } });
  expect(parseOrder("created", RUN_GRAMMAR)).toEqual({ ok: true, value: { entity: "attribute", key: "start_time", isDescending: false } });
  for (const [text, error] of [
    ["metrics.auc up", /Could not be parsed/],
    ["dataset.name", /Invalid identifier type 'dataset'/],
    ["", /Expected 'Identifier'/],
    ["start_time; drop", /Could not be parsed|Invalid attribute/],
  ] as const)
    expect(parseOrder(text, RUN_GRAMMAR)).toMatchObject({ ok: false, error: expect.stringMatching(error) });
});
