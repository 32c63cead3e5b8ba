import { sql, type ColumnDataType, type Kysely } from "kysely";

const types: Readonly<Record<string, ColumnDataType>> = { text: "text", int: "bigint", real: "double precision" };

/** What MLflow's clients keep of experiments, runs, logged models, registered models and their files. Meanings are in `../schema.ts`. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const isPostgres = db.getExecutor().adapter.supportsTransactionalDdl;
  const make = async (name: string, key: readonly string[], spec: Readonly<Record<string, string>>) => {
    let table = db.schema.createTable(name).addPrimaryKeyConstraint(`${name}_key`, asNames(key));
    for (const [column, kind] of Object.entries(spec)) {
      const type = types[kind.replace("?", "")] ?? "text";
      table = table.addColumn(asName(column), type, (c) => (kind.endsWith("?") ? c : c.notNull()));
    }
    await (isPostgres ? table : table.modifyEnd(sql`without rowid`)).execute();
  };
  const grow = async (name: string, spec: Readonly<Record<string, string>>) => {
    for (const [column, kind] of Object.entries(spec))
      await db.schema
        .alterTable(name)
        .addColumn(column, types[kind] ?? "text")
        .execute();
  };

  await make("experiment", ["id"], {
    id: "int",
    name: "text",
    artifact_location: "text",
    tags_json: "text",
    created_at_ms: "int",
    updated_at_ms: "int",
    deleted_at_ms: "int?",
    created_by: "text",
  });
  await db.schema.createIndex("experiment_name").on("experiment").column("name").unique().execute();
  const nowMs = Date.now();
  await sql`insert into experiment (id, name, artifact_location, tags_json, created_at_ms, updated_at_ms, created_by)
    values (0, 'Default', 'mlflow-artifacts:/0', '{}', ${nowMs}, ${nowMs}, 'server')`.execute(db);
  await sql`insert into experiment (id, name, artifact_location, tags_json, created_at_ms, updated_at_ms, created_by)
    select n, experiment, 'mlflow-artifacts:/' || n, '{}', began, began, 'server'
    from (select experiment, min(started_at_ms) as began, row_number() over (order by min(started_at_ms), experiment) as n
      from run where experiment <> 'Default' group by experiment) as known`.execute(db);

  await grow("run", { user_name: "text", deleted_at_ms: "int" });
  // Two values at one step and millisecond are two points, as they are to MLflow.
  await make("run_metric_point", ["run", "key", "step", "at_ms", "value", "is_nan"], {
    run: "text",
    key: "text",
    step: "int",
    at_ms: "int",
    value: "real",
    is_nan: "int",
  });
  await sql`insert into run_metric_point (run, key, step, at_ms, value, is_nan)
    select run, key, step, at_ms, value, 0 from run_metric`.execute(db);
  await db.schema.dropTable("run_metric").execute();
  await db.schema.alterTable("run_metric_point").renameTo("run_metric").execute();
  await make("run_metric_latest", ["run", "key"], {
    run: "text",
    key: "text",
    step: "int",
    at_ms: "int",
    value: "real",
    is_nan: "int",
  });
  await sql`insert into run_metric_latest (run, key, step, at_ms, value, is_nan)
    select run, key, step, at_ms, value, is_nan from
      (select *, row_number() over (partition by run, key order by step desc, at_ms desc, value desc) as n from run_metric) as ranked
    where n = 1`.execute(db);

  await make("tracked_dataset", ["experiment", "name", "digest"], {
    experiment: "int",
    name: "text",
    digest: "text",
    source_type: "text",
    source: "text",
    schema_text: "text?",
    profile: "text?",
  });
  await make("run_dataset", ["run", "name", "digest"], { run: "text", name: "text", digest: "text", tags_json: "text", seq: "int" });
  await make("run_model", ["run", "direction", "model", "step"], { run: "text", direction: "text", model: "text", step: "int" });

  await make("logged_model", ["id"], {
    id: "text",
    experiment: "int",
    name: "text",
    model_type: "text",
    source_run: "text?",
    status: "text",
    status_message: "text?",
    params_json: "text",
    tags_json: "text",
    created_at_ms: "int",
    updated_at_ms: "int",
    deleted_at_ms: "int?",
    created_by: "text",
  });
  await db.schema.createIndex("logged_model_name").on("logged_model").columns(["experiment", "name"]).execute();
  await make("logged_model_metric", ["model", "key", "dataset_name", "dataset_digest", "run", "step", "at_ms", "value", "is_nan"], {
    model: "text",
    key: "text",
    dataset_name: "text",
    dataset_digest: "text",
    run: "text",
    step: "int",
    at_ms: "int",
    value: "real",
    is_nan: "int",
  });
  await make("artifact_file", ["folder", "path"], {
    folder: "text",
    path: "text",
    blob: "text",
    bytes: "int",
    at_ms: "int",
    put_by: "text",
  });

  await grow("model", {
    description: "text",
    tags_json: "text",
    updated_at_ms: "int",
    created_by: "text",
    deleted_at_ms: "int",
  });
  await grow("model_version", {
    source: "text",
    run_link: "text",
    description: "text",
    stage: "text",
    tags_json: "text",
    logged_model: "text",
    unservable: "text",
    updated_at_ms: "int",
    deleted_at_ms: "int",
  });
  await make("model_version_file", ["model", "number", "path"], {
    model: "text",
    number: "int",
    path: "text",
    blob: "text",
    bytes: "int",
  });
}

/** The builder wants to know the columns' names when it is compiled; here they are data. */
const asName = (name: string) => name as never;
const asNames = (names: readonly string[]) => names as never[];
