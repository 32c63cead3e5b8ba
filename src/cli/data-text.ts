/** Datasets, their versions and differences as a terminal shows them. */
import type { DatasetDetailView, DatasetDiffView, DatasetVersionDetailView } from "../api/index.ts";
import { unreachable } from "../std.ts";
import { moment, percent, plural, ratio } from "./format.ts";
import { styled, table, type Io } from "./io.ts";

/** Groups are many; a terminal shows the most telling, --json has all. */
const GROUPS_SHOWN = 12;
const COLUMNS_SHOWN = 20;
/** Standard errors from where the verdict names a group. */
const Z_SHOWN = 4.5;
const DUPLICATES_SHOWN = 10;
/** Values that are rarer than this say nothing of a column. */
const SHARE_SHOWN = 0.01;

export function datasetText(io: Io, view: DatasetDetailView): string {
  const { name, spec, versions, moves, pins, protectedTags, redactions } = view;
  const declared = [
    spec.key ? `key ${spec.key.join(", ")}` : "no key: rows are compared by content",
    ...(spec.label ? [`label ${spec.label.column}`] : []),
    ...(spec.protected?.length ? [`protected ${spec.protected.map(({ column, name: attribute }) => attribute ?? column).join(", ")}`] : []),
  ];
  const rows = versions.map((one) => [
    one.number,
    one.rows,
    one.tags.join(", "),
    moment(one.createdAt),
    one.createdBy,
    one.id.slice(0, 16),
  ]);
  return [
    styled(io, "bold", name),
    declared.join(" · "),
    "",
    table(io, ["version", "rows", "tags", "added", "by", "id"], rows),
    ...(protectedTags.length > 0 ? ["", `moved by operators and admins only: ${protectedTags.join(", ")}`] : []),
    ...pins.map((pin) => `${name}/${pin.number} is pinned by ${pin.by}: ${pin.reason}`),
    ...versions.flatMap(({ number, removal }) =>
      removal ? [`${name}/${number} has no bytes any more: ${removal.because} (${removal.by})`] : [],
    ),
    ...redactions.map(
      (one) =>
        `${name}/${one.number}: ${plural(one.rows, "row")} redacted under ${one.reference} on ${moment(one.at)}; content id before: ${one.before.id.slice(0, 16)}; after: ${one.after?.id.slice(0, 16) ?? "none"}`,
    ),
    ...movesText(io, "tag", moves),
  ].join("\n");
}

export function versionText(io: Io, version: DatasetVersionDetailView): string {
  const { dataset, number, rows, tags, columns, groups } = version;
  const profile = columns.map(({ name, type, empty, distinct, distinctAbout, numbers, top, isHidden }) => [
    name,
    type,
    empty,
    distinct === null ? (distinctAbout === undefined ? "many" : `≈ ${distinctAbout.toLocaleString("en")}`) : String(distinct),
    numbers ? `${short(numbers.min)} … ${short(numbers.max)}` : "",
    numbers ? short(numbers.mean) : "",
    isHidden
      ? styled(io, "dim", "protected")
      : top
          .filter(({ count }) => count >= rows * SHARE_SHOWN)
          .slice(0, 4)
          .map(({ value, count }) => `${value} ${percent(count / rows)}`)
          .join(", "),
  ]);
  const labels = [...new Set((groups ?? []).flatMap((group) => Object.keys(group.labels)))].toSorted();
  const single = (groups ?? []).map(({ group, rows: count, rates }) => [
    groupText(group),
    count,
    ...labels.map((label) => (rates[label] === undefined ? "–" : percent(rates[label]))),
  ]);
  return [
    styled(io, "bold", `${dataset}/${number}${tags.map((tag) => ` @${tag}`).join("")}`),
    `${plural(rows, "row")}, ${plural(version.bytes, "byte")}, added ${moment(version.createdAt)} by ${version.createdBy}`,
    `rows  ${version.id}`,
    `file  ${version.blob}`,
    "",
    table(io, ["column", "type", "empty", "distinct", "range", "mean", "frequent"], profile),
    "",
    groups === null
      ? styled(io, "dim", "groups are shown to readers with protected:read")
      : table(io, ["group", "rows", ...labels.map((label) => `label ${label}`)], single, "no protected column is declared"),
  ].join("\n");
}

/** For those who may not read of groups. */
const plainVerdict = {
  identical: "The same file, byte for byte.",
  "same rows, other order": "The same rows in another order.",
  "same rows, other notation": "The same rows in the same order, written in another notation.",
  different: "The versions differ.",
} as const satisfies Record<DatasetDiffView["identity"], string>;

export function diffText(io: Io, diff: DatasetDiffView): string {
  const { from, to, rows, schema, cells, groups, verdict } = diff;
  const title = styled(io, "bold", `${from.dataset}/${from.number} → ${to.dataset}/${to.number}`);
  const columns = [
    ...schema.added.map(({ name, type }) => `+ ${name} (${type})`),
    ...schema.removed.map(({ name, type }) => `- ${name} (${type})`),
    ...schema.renamed.map((one) => `~ ${one.from} is now called ${one.to}`),
    ...schema.retyped.map((one) => `~ ${one.name}: ${one.from} → ${one.to}`),
    ...schema.emptied.map((one) => `~ ${one.name}: empty in ${plural(one.before, "row")} → ${plural(one.after, "row")}`),
  ];
  const by = rows.key ? `${rows.key.columns.join(", ")} (${rows.key.source})` : "content";
  const counts = table(
    io,
    ["before", "after", "missing", "new", "changed", "unchanged", "compared by"],
    [[rows.before, rows.after, rows.missing, rows.added, rows.changed, rows.unchanged, by]],
  );
  const { duplicates } = rows;
  const double = duplicates.listed
    .slice(0, DUPLICATES_SHOWN)
    .map(
      ({ key, before, after }) => `${key.map((cell) => cell ?? "nothing").join(", ")}: ${plural(before, "row")} → ${plural(after, "row")}`,
    );
  return [
    title,
    verdict ?? plainVerdict[diff.identity],
    "",
    counts,
    ...(columns.length > 0 ? ["", ...columns] : []),
    ...(duplicates.keys > 0
      ? ["", `${plural(duplicates.keys, "key")} of more than one row${double.length > 0 ? ":" : ""}`, ...double]
      : []),
    ...(cells.length > 0 ? ["", cellsText(io, cells)] : []),
    ...(groups === null ? ["", styled(io, "dim", "groups are shown to readers with protected:read")] : groupsText(io, groups)),
  ].join("\n");
}

function cellsText(io: Io, cells: DatasetDiffView["cells"]): string {
  const rows = cells
    .slice(0, COLUMNS_SHOWN)
    .map(({ column, changed, emptied, filled, patterns, groups }) => [
      column,
      changed,
      emptied,
      filled,
      patterns?.slice(0, 2).map(patternText).join("; ") ?? "protected",
      whomText(groups),
    ]);
  return [
    table(io, ["changed cells", "rows", "now empty", "filled", "how", "most often"], rows),
    ...more(io, cells.length - rows.length),
  ].join("\n");
}

/** Of those who are touched beyond chance, the group that is most. */
function whomText(groups: DatasetDiffView["cells"][number]["groups"]): string {
  const most = groups?.find(({ group, againstRest }) => Object.keys(group).length > 0 && againstRest.z >= Z_SHOWN);
  return most ? groupText(most.group) : "";
}

function patternText(pattern: NonNullable<DatasetDiffView["cells"][number]["patterns"]>[number]): string {
  const rows = plural(pattern.rows, "row");
  switch (pattern.kind) {
    case "factor":
      return `x ${pattern.factor} for ${rows}`;
    case "offset":
      return `${pattern.offset > 0 ? "+" : ""}${pattern.offset} for ${rows}`;
    case "swapped":
      return `swapped with ${pattern.with} for ${rows}`;
    case "constant":
      return `always ${pattern.value} now for ${rows}`;
    case "was-constant":
      return `no longer ${pattern.value} for ${rows}`;
    case "replaced":
      return `${pattern.from} → ${pattern.to} for ${rows}`;
    case "zeros-trimmed":
    case "zeros-added":
    case "case":
    case "whitespace":
    case "fewer-decimals":
    case "more-decimals":
      return `${pattern.kind.replace("-", " ")} for ${rows}`;
    default:
      return unreachable(pattern);
  }
}

function groupsText(io: Io, groups: NonNullable<DatasetDiffView["groups"]>): string[] {
  const telling = groups.filter((change) => change.missing > 0 || change.added > 0 || change.relabelled > 0);
  if (telling.length === 0) return [];
  const shown = telling
    .slice(0, GROUPS_SHOWN)
    .map((change) => [
      groupText(change.group),
      change.label ?? "any",
      change.before,
      change.after,
      change.missing,
      change.missingAgainstRest ? percent(change.missingAgainstRest.rate) : "–",
      change.missingAgainstRest ? percent(change.missingAgainstRest.rateOfRest) : "–",
      change.missingAgainstRest ? ratio(change.missingAgainstRest.z, 1) : "–",
      change.added,
      change.relabelled,
    ]);
  const head = ["group", "label", "before", "after", "missing", "rate", "of others", "z", "new", "relabelled"];
  return ["", table(io, head, shown), ...more(io, telling.length - shown.length)];
}

const more = (io: Io, rest: number) => (rest > 0 ? [styled(io, "dim", `and ${rest} more: --json has all`)] : []);

/** Where a tag or alias has been; nothing where it has never moved. */
export function movesText(io: Io, what: string, moves: DatasetDetailView["moves"]): string[] {
  if (moves.length === 0) return [];
  const rows = moves
    .toReversed()
    .map((move) => [
      moment(move.movedAt),
      move.label,
      `${move.from ?? "–"} → ${move.to ?? "–"}`,
      move.movedBy,
      move.reason || styled(io, "dim", "no reason given"),
    ]);
  return ["", table(io, ["moved", what, "from → to", "by", "reason"], rows)];
}

const groupText = (group: Readonly<Record<string, string>>) =>
  Object.entries(group)
    .map(([attribute, value]) => `${attribute}=${value}`)
    .join(", ") || "everybody";
const short = (value: number) => (Number.isInteger(value) ? value.toLocaleString("en") : Number(value.toPrecision(4)).toLocaleString("en"));
