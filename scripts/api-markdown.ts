/** An OpenAPI description as a page that people read. Pure. */

export interface Schema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
}
interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
  readonly description?: string;
}
interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema?: Schema;
  }[];
  readonly requestBody?: Content;
  readonly responses?: Readonly<Record<string, Content>>;
  readonly "x-right"?: string;
}
export interface Described {
  readonly info: { readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const HEAD = `# The API

<!-- Written by \`npm run docs:api\` from the code. Change the code, not this file. -->

The same as \`GET /openapi.json\`, for reading. Bodies are JSON in UTF-8; unknown fields, repeated keys and values of the wrong type are
refused, and nothing is changed then. Send \`Authorization: Bearer <token>\`. Errors are problem details (RFC 9457):
[Problem](#problem). Field names with \`?\` may be left out.
`;

export interface Surroundings {
  /** The roles that can hold a right. */
  readonly rolesWith: (right: string) => readonly string[];
  /** What every error's body looks like, and every kind of one. */
  readonly problem: Schema;
  readonly problems: Readonly<Record<string, readonly [status: number, title: string]>>;
}

export function markdownOf({ paths }: Described, { rolesWith, problem, problems }: Surroundings): string {
  const types = new Map<string, Schema>();
  const text = typeTexts(types);
  const errors = [
    "## Errors",
    `Every error is a ${text(problem)}; its \`type\` ends in one of these names, which don't change.`,
    [
      "| type | status | title |",
      "|---|---|---|",
      ...Object.entries(problems).map(([kind, [status, title]]) => `| \`${kind}\` | ${status} | ${title} |`),
    ].join("\n"),
  ];
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const byTag = Map.groupBy(operations, ({ operation }) => operation.tags?.[0] ?? "other");
  const parts = [...byTag].toSorted(([a], [b]) => a.localeCompare(b, "en"));
  const chapters = parts.flatMap(([tag, all]) => [
    `## ${tag.slice(0, 1).toUpperCase()}${tag.slice(1)}`,
    ...all.flatMap(({ path, method, operation }) => [
      `### ${method} ${path}`,
      ...[operation.summary, operation.description].filter((line) => line !== undefined).map((line) => `${line.replace(/[.]$/, "")}.`),
      rightText(operation["x-right"], rolesWith),
      ...parametersText(operation, text),
      ...bodyText(operation.requestBody, text),
      ...answersText(operation.responses ?? {}, text),
    ]),
  ]);
  return `${[HEAD.trimEnd(), ...chapters, ...errors, "## Types", ...typeChapters(types, text)].join("\n\n")}\n`;
}

function rightText(right: string | undefined, rolesWith: (right: string) => readonly string[]): string {
  return right === undefined || right === "public"
    ? "Needs no token."
    : `Needs the right \`${right}\`, which these roles can have: ${rolesWith(right).join(", ")}.`;
}

type TypeText = (schema: Schema) => string;

function parametersText({ parameters = [] }: Operation, text: TypeText): string[] {
  if (parameters.length === 0) return [];
  const rows = parameters.map(
    ({ name, in: where, required, schema = {}, description }) =>
      `| \`${name}${required ? "" : "?"}\` | ${where} | ${cell(text(schema))} | ${cell(description ?? schema.description ?? "")} |`,
  );
  return [["| parameter | in | type | |", "|---|---|---|---|", ...rows].join("\n")];
}

function bodyText(body: Content | undefined, text: TypeText): string[] {
  return Object.entries(body?.content ?? {}).flatMap(([kind, { schema = {} }]) => [
    `Body${kind === "application/json" ? "" : ` (\`${kind}\`)`}: ${schema.title ? text(schema) : ""}`.trimEnd(),
    ...(schema.title ? [] : [fieldsText(schema, text)]),
  ]);
}

function answersText(responses: Readonly<Record<string, Content>>, text: TypeText): string[] {
  return Object.entries(responses).flatMap(([status, { content = {} }]) => {
    const [schema] = Object.values(content).flatMap((one) => (one.schema ? [one.schema] : []));
    if (!schema) return [`Answers ${status}.`];
    return [`Answers ${status}: ${text(schema)}`];
  });
}

function typeChapters(types: Map<string, Schema>, text: TypeText): string[] {
  const written: { readonly title: string; readonly lines: readonly string[] }[] = [];
  // Writing one may meet further ones.
  for (const [title, schema] of types)
    written.push({ title, lines: [`### ${title}`, ...(schema.description ? [`${schema.description}.`] : []), fieldsText(schema, text)] });
  return written.toSorted((a, b) => a.title.localeCompare(b.title, "en")).flatMap(({ lines }) => lines);
}

function fieldsText(schema: Schema, text: TypeText): string {
  const { title: _title, ...untitled } = schema;
  if (schema.properties === undefined) return text(untitled);
  const rows = Object.entries(schema.properties).map(([name, field]) => {
    const isRequired = schema.required?.includes(name) ?? false;
    return `| \`${name}${isRequired ? "" : "?"}\` | ${cell(text(field))} | ${cell(field.description ?? "")} |`;
  });
  return ["| field | type | |", "|---|---|---|", ...rows].join("\n");
}

/** Names a schema in a few characters; those with a title are collected, and named by it. */
function typeTexts(types: Map<string, Schema>): TypeText {
  const text: TypeText = (schema) => {
    if (schema.title !== undefined && (schema.properties || schema.anyOf)) {
      const known = types.get(schema.title);
      if (known && JSON.stringify(known) !== JSON.stringify(schema)) throw new Error(`two different types are called ${schema.title}`);
      types.set(schema.title, schema);
      return `[${schema.title}](#${schema.title.toLowerCase()})`;
    }
    if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
    if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(" or ");
    if (schema.anyOf) return schema.anyOf.map(text).join(" or ");
    if (schema.type === "array") return `list of ${text(schema.items ?? {})}`;
    if (schema.properties) {
      const fields = Object.entries(schema.properties).map(
        ([name, field]) => `\`${name}${schema.required?.includes(name) ? "" : "?"}\`: ${text(field)}`,
      );
      return fields.length === 0 ? "nothing" : `{ ${fields.join(", ")} }`;
    }
    const [values] = Object.values(schema.patternProperties ?? {});
    if (values) return `${text(values)} by name`;
    if (typeof schema.additionalProperties === "object") return `${text(schema.additionalProperties)} by name`;
    if (typeof schema.type !== "string") return "anything";
    return `${schema.type}${boundsText(schema)}`;
  };
  return text;
}

function boundsText({ minimum, maximum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return ` from ${minimum}`;
  return maximum === undefined ? "" : ` up to ${maximum}`;
}

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
