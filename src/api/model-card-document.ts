/** A model card as a document: Markdown, or a page by itself. Pure. */
import { createHash } from "node:crypto";
import type { ModelCardView } from "./model-card-view.ts";

interface Part {
  readonly title: string;
  readonly lines: readonly string[];
  readonly table?: { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] };
}

/** The card's parts, in the order in which people read them. */
function partsOf(card: ModelCardView): readonly Part[] {
  const { runs, featureSets, data, uses, unknown } = card;
  return [
    {
      title: "What it is",
      lines: [
        `Registered ${day(card.registeredAt)} by ${card.registeredBy}.`,
        `Content id ${card.id}, file ${card.blob}.`,
        card.aliases.length > 0 ? `Aliases: ${card.aliases.join(", ")}.` : "No alias points at it.",
        card.features === null
          ? "Which features it takes is not known."
          : card.features.length > 0
            ? `Takes ${card.features.length} features, in this order: ${card.features.join(", ")}.`
            : "It does not name its features: a release has to.",
        ...featureSets.map(({ version }) => `Features are derived as feature set ${version} says.`),
      ],
    },
    ...uses.map(({ endpoint, release, name, places, isCondemned, served, groups, limits }): Part => ({
      title: `Use: ${endpoint}/${release}, ${name}`,
      lines: [
        ...(limits.description === null ? [] : [limits.description]),
        places.length > 0
          ? `It is ${places.join(", ")} there${isCondemned ? ", and condemned" : ""}.`
          : `It answers nobody there now${isCondemned ? ": it is condemned" : ""}.`,
        `It can say: ${limits.actions.join(", ")}. Inputs: ${limits.inputs.map((input) => `${input.name} (${input.takes})`).join("; ")}.`,
        ...limits.guardrails.map(
          (one) => `Limit: ${one.metric} ${one.limit} over ${one.groups} groups; on a breach: ${one.action.replaceAll("_", " ")}.`,
        ),
      ],
      table: {
        columns: ["group", "people", "favourable", "outcomes", "good"],
        rows: [servedRow("everybody", served), ...groups.map((one) => servedRow(one.group, one))],
      },
    })),
    ...runs.map((run): Part => ({
      title: `Training: ${run.name}`,
      lines: [
        `Run ${run.id} of ${run.experiment}, ${day(run.startedAt)}, ${run.status}.`,
        run.code.commit === null && run.code.recipe === null
          ? "Its code is not known."
          : `Code: ${[run.code.commit && `commit ${run.code.commit}`, run.code.recipe && `recipe ${run.code.recipe}`].filter(Boolean).join(", ")}.`,
        Object.keys(run.params).length > 0
          ? `Parameters: ${Object.entries(run.params)
              .map(([key, value]) => `${key} ${String(value)}`)
              .join(", ")}.`
          : "Its parameters are not known.",
      ],
      ...(Object.keys(run.metrics).length > 0
        ? {
            table: {
              columns: ["metric", "value"],
              rows: Object.entries(run.metrics).map(([key, value]) => [key, String(Number(value.toPrecision(6)))]),
            },
          }
        : {}),
    })),
    ...data.map(({ version, rows, columns, groups }): Part => {
      const labels = [...new Set((groups ?? []).flatMap((group) => Object.keys(group.rates)))].toSorted();
      return {
        title: `Data: ${version}`,
        lines: [
          `${rows.toLocaleString("en")} rows, ${columns.length} columns: ${columns.map((column) => `${column.name} (${column.type}${column.empty > 0 ? `, ${column.empty} empty` : ""})`).join(", ")}.`,
          ...(groups === null ? ["Its groups are shown to readers with protected:read."] : []),
        ],
        ...(groups !== null && groups.length > 0
          ? {
              table: {
                columns: ["group", "rows", ...labels.map((label) => `label ${label}`)],
                rows: groups.map((group) => [
                  group.group,
                  group.rows.toLocaleString("en"),
                  ...labels.map((label) => percent(group.rates[label] ?? null)),
                ]),
              },
            }
          : {}),
      };
    }),
    { title: "What is not known", lines: unknown.length > 0 ? unknown : ["Nothing that a card is asked for."] },
  ];
}

type Served = ModelCardView["uses"][number]["served"];
const servedRow = (group: string, { counted, favourableRate, outcomes, goodRate }: Served): readonly string[] => [
  group,
  counted === null ? "too few to show" : counted.toLocaleString("en"),
  percent(favourableRate),
  outcomes === null ? "" : outcomes.toLocaleString("en"),
  percent(goodRate),
];
const percent = (rate: number | null): string => (rate === null ? "not known" : `${Number((rate * 100).toFixed(1))} %`);
const day = (time: string): string => time.slice(0, 10);
const titleOf = ({ model, version }: ModelCardView): string => `Model card: ${model}/${version}`;

/** Names and reasons are other people's texts: what Markdown would read as its own is escaped. */
const plain = (text: string): string => text.replaceAll(/[\\`*_{}[\]<>#|]/g, (character) => `\\${character}`).replaceAll(/\s+/g, " ");

export function cardMarkdown(card: ModelCardView): string {
  const row = (cells: readonly string[]) => `| ${cells.map(plain).join(" | ")} |`;
  const parts = partsOf(card).flatMap(({ title, lines, table }) => [
    `## ${plain(title)}`,
    "",
    ...lines.map((line) => `- ${plain(line)}`),
    ...(table ? ["", row(table.columns), `|${table.columns.map(() => "---|").join("")}`, ...table.rows.map(row)] : []),
    "",
  ]);
  return [`# ${plain(titleOf(card))}`, "", ...parts].join("\n");
}

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1c1f23;background:#fff;overflow-wrap:anywhere}
h1,h2{line-height:1.2}h2{margin-top:2rem;border-top:1px solid #d5d9de;padding-top:1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d5d9de}
@media (prefers-color-scheme:dark){body{color:#e8eaed;background:#15181c}h2,th,td{border-color:#3a4048}}`;

/** What a browser may do with the page: show it, in its own style. */
export const CARD_POLICY = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export function cardPage(card: ModelCardView): string {
  const cells = (tag: "th" | "td", row: readonly string[]) =>
    `<tr>${row.map((cell) => `<${tag}${tag === "th" ? ' scope="col"' : ""}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  const parts = partsOf(card).map(
    ({ title, lines, table }) =>
      `<section><h2>${escaped(title)}</h2><ul>${lines.map((line) => `<li>${escaped(line)}</li>`).join("")}</ul>${
        table
          ? `<table><thead>${cells("th", table.columns)}</thead><tbody>${table.rows.map((row) => cells("td", row)).join("")}</tbody></table>`
          : ""
      }</section>`,
  );
  const title = escaped(titleOf(card));
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${STYLE}</style></head>
<body><main><h1>${title}</h1>${parts.join("\n")}</main></body></html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
