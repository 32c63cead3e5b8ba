import { sql, type ColumnDataType, type CreateTableBuilder, type Kysely } from "kysely";

/** The first schema. Meanings of the columns are in `../schema.ts`. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const isPostgres = db.getExecutor().adapter.supportsTransactionalDdl;
  const schema = db.schema;
  /** A running number given by the database. */
  const serial = <N extends string>(table: CreateTableBuilder<N>, name: string) =>
    isPostgres
      ? table.addColumn(name, "bigint", (c) => c.primaryKey().generatedAlwaysAsIdentity())
      : table.addColumn(name, "integer", (c) => c.primaryKey().autoIncrement());
  const columns = <N extends string>(table: CreateTableBuilder<N>, spec: Readonly<Record<string, string>>) => {
    let built: CreateTableBuilder<N, string> = table;
    for (const [name, kind] of Object.entries(spec)) {
      const nullable = kind.endsWith("?");
      built = built.addColumn(name, columnTypes[nullable ? kind.slice(0, -1) : kind] ?? "text", (c) => (nullable ? c : c.notNull()));
    }
    return built;
  };
  const withKey = async (name: string, key: readonly string[], spec: Readonly<Record<string, string>>) => {
    const built = columns(schema.createTable(name), spec).addPrimaryKeyConstraint(`${name}_key`, [...key]);
    // WITHOUT ROWID stores the row in its key's tree: one lookup instead of two for the small counters of the hot path.
    await (isPostgres ? built : built.modifyEnd(sql`without rowid`)).execute();
  };
  const numbered = async (name: string, seq: string, spec: Readonly<Record<string, string>>) =>
    columns(serial(schema.createTable(name), seq), spec).execute();
  const index = async (name: string, table: string, on: readonly string[], unique = false) => {
    const built = schema
      .createIndex(name)
      .on(table)
      .columns([...on]);
    await (unique ? built.unique() : built).execute();
  };

  await withKey("setting", ["key"], { key: "text", value: "text" });

  await withKey("token", ["id"], {
    id: "text",
    name: "text",
    role: "text",
    endpoints_json: "text?",
    grants_json: "text",
    secret_hash: "text",
    created_at_ms: "int",
    created_by: "text",
    expires_at_ms: "int?",
    revoked_at_ms: "int?",
  });
  await withKey("audit", ["seq"], {
    seq: "int",
    entry_json: "text",
    salt: "text?",
    payload_json: "text?",
    payload_hash: "text",
    hash: "text",
  });

  await withKey("dataset", ["name"], {
    name: "text",
    spec_json: "text",
    created_at_ms: "int",
  });
  await withKey("dataset_version", ["dataset", "number"], {
    id: "text",
    dataset: "text",
    number: "int",
    blob: "text",
    bytes: "int",
    rows: "int",
    columns_json: "text",
    profile_json: "text",
    created_at_ms: "int",
    created_by: "text",
  });
  await index("dataset_version_id", "dataset_version", ["id"]);
  await index("dataset_version_blob", "dataset_version", ["dataset", "blob"], true);
  await numbered("dataset_tag", "seq", {
    dataset: "text",
    tag: "text",
    number: "int?",
    moved_at_ms: "int",
    moved_by: "text",
    reason: "text",
  });
  await index("dataset_tag_name", "dataset_tag", ["dataset", "tag"]);
  await withKey("feature_set", ["id"], {
    id: "text",
    name: "text",
    number: "int",
    spec_json: "text",
    created_at_ms: "int",
    created_by: "text",
  });
  await index("feature_set_number", "feature_set", ["name", "number"], true);
  await withKey("run", ["id"], {
    id: "text",
    experiment: "text",
    name: "text",
    status: "text",
    params_json: "text",
    tags_json: "text",
    started_at_ms: "int",
    ended_at_ms: "int?",
    created_by: "text",
  });
  await index("run_started", "run", ["experiment", "started_at_ms"]);
  await withKey("run_metric", ["run", "key", "step", "at_ms"], { run: "text", key: "text", step: "int", value: "real", at_ms: "int" });
  await withKey("run_artifact", ["run", "path"], { run: "text", path: "text", blob: "text", bytes: "int" });
  await withKey("model", ["name"], { name: "text", created_at_ms: "int" });
  await withKey("model_version", ["model", "number"], {
    id: "text",
    model: "text",
    number: "int",
    blob: "text",
    signature_json: "text",
    feature_set: "text?",
    run: "text?",
    created_at_ms: "int",
    created_by: "text",
  });
  await index("model_version_id", "model_version", ["id"]);
  await numbered("model_alias", "seq", {
    model: "text",
    alias: "text",
    number: "int?",
    moved_at_ms: "int",
    moved_by: "text",
    reason: "text",
  });
  await index("model_alias_name", "model_alias", ["model", "alias"]);
  await withKey("lineage_edge", ["from_kind", "from_id", "relation", "to_kind", "to_id"], {
    from_kind: "text",
    from_id: "text",
    to_kind: "text",
    to_id: "text",
    relation: "text",
    at_ms: "int",
  });
  await index("lineage_edge_to", "lineage_edge", ["to_kind", "to_id"]);

  await withKey("step_run", ["key"], {
    key: "text",
    pipeline: "text",
    step: "text",
    outs_json: "text",
    metrics_json: "text",
    log_blob: "text?",
    duration_ms: "int",
    run: "text?",
    created_at_ms: "int",
  });

  await numbered("decision", "seq", {
    id: "text",
    endpoint: "text",
    release: "text",
    arm: "text",
    generation: "int",
    cell: "text",
    score: "real?",
    action: "text",
    favourable: "int",
    reasons_json: "text",
    answered_by: "text",
    because: "text?",
    decided_at_ms: "int",
    latency_us: "int",
    source: "text",
    idempotency_key: "text?",
    body_hash: "text?",
    counted: "int",
    commitment: "text",
    batch: "int",
  });
  await index("decision_id", "decision", ["id"], true);
  await index("decision_release", "decision", ["endpoint", "release", "seq"]);
  const keyed = schema.createIndex("decision_idempotency").on("decision").columns(["endpoint", "source", "idempotency_key"]).unique();
  await keyed.where(sql.ref("idempotency_key"), "is not", null).execute();
  await withKey("decision_payload", ["seq"], { seq: "int", subject: "text?", salt: "text", payload: "text" });
  // On SQLite the log keeps `subject_index` by itself, a thousand rows at a time; PostgreSQL's own index does without.
  if (isPostgres) await index("decision_payload_subject", "decision_payload", ["subject"]);
  await withKey("subject_index", ["subject", "seq"], { subject: "text", seq: "int" });
  await sql`insert into setting (key, value) values ('subject_indexed_up_to', '0')`.execute(db);
  await numbered("decision_batch", "batch", {
    writer: "text",
    previous: "int",
    first_seq: "int",
    last_seq: "int",
    decisions: "int",
    shadows: "int",
    digest: "text",
  });
  await withKey("shadow_answer", ["batch", "n"], {
    batch: "int",
    n: "int",
    decision: "text",
    release: "text",
    endpoint: "text",
    cell: "text",
    source: "text",
    live_release: "text",
    live_action: "text",
    score: "real?",
    action: "text",
    favourable: "int",
    because: "text?",
    counted: "int",
    answered_at_ms: "int",
    latency_us: "int",
  });
  await index("shadow_answer_decision", "shadow_answer", ["decision", "release"], true);
  await withKey("counted", ["release", "arm_class", "subject"], {
    release: "text",
    arm_class: "text",
    subject: "text",
    counted_at_ms: "int",
  });
  const counts = { decisions: "int", counted: "int", fallback: "int", scored: "int", score_sum_u6: "int", latency_sum_us: "int" };
  const cell = { endpoint: "text", release: "text", arm: "text", cell: "text" };
  await withKey("tally", ["endpoint", "release", "arm", "minute", "cell", "action", "writer", "source"], {
    ...cell,
    minute: "int",
    writer: "text",
    source: "text",
    action: "text",
    ...counts,
  });
  await withKey("tally_total", ["endpoint", "release", "arm", "cell", "action", "writer", "source"], {
    ...cell,
    writer: "text",
    source: "text",
    action: "text",
    ...counts,
  });
  await withKey("flip_total", ["endpoint", "shadow_release", "live_release", "cell", "live_action", "shadow_action", "writer"], {
    endpoint: "text",
    live_release: "text",
    shadow_release: "text",
    cell: "text",
    writer: "text",
    live_action: "text",
    shadow_action: "text",
    counted: "int",
  });
  await numbered("outcome", "seq", {
    decision: "text",
    value: "text",
    good: "int",
    at_ms: "int",
    recorded_at_ms: "int",
    source: "text",
    writer: "text",
  });
  await index("outcome_decision", "outcome", ["decision"]);
  await withKey("outcome_tally", ["endpoint", "release", "arm", "cell", "minute", "action", "good", "writer"], {
    ...cell,
    minute: "int",
    writer: "text",
    action: "text",
    good: "int",
    count: "int",
    corrections: "int",
  });

  await withKey("guardrail_test", ["id"], {
    id: "text",
    endpoint: "text",
    release: "text",
    arm_class: "text",
    epoch: "int",
    guardrail: "text",
    group_label: "text",
    alpha: "real",
    state_json: "text",
    consumed_json: "text",
    breach_json: "text?",
    paused: "text?",
    updated_at_ms: "int",
  });
  await index("guardrail_test_release", "guardrail_test", ["endpoint", "release"]);

  await withKey("endpoint", ["name"], { name: "text", spec_json: "text", spec_id: "text", created_at_ms: "int", updated_at_ms: "int" });
  await withKey("release", ["id"], {
    id: "text",
    endpoint: "text",
    number: "int",
    name: "text",
    bundle_json: "text",
    origin_json: "text",
    created_at_ms: "int",
    created_by: "text",
  });
  await index("release_number", "release", ["endpoint", "number"], true);
  await withKey("transition", ["endpoint", "generation"], {
    endpoint: "text",
    generation: "int",
    command: "text",
    kind: "text",
    body_json: "text",
    actor: "text",
    reason: "text",
    at_ms: "int",
  });
  await index("transition_command", "transition", ["endpoint", "command"]);
  await numbered("incident", "n", {
    endpoint: "text",
    release: "text",
    restored: "text?",
    state: "text",
    kind: "text",
    body_json: "text",
    opened_at_ms: "int",
    updated_at_ms: "int",
  });
  await numbered("incident_event", "seq", { incident: "int", at_ms: "int", kind: "text", actor: "text", body_json: "text" });
  await index("incident_event_incident", "incident_event", ["incident"]);
  await withKey("blame_report", ["incident", "tier"], { incident: "int", tier: "int", report_json: "text", made_at_ms: "int" });
  await withKey("affected", ["incident", "decision"], {
    incident: "int",
    decision: "text",
    subject: "text?",
    cell: "text",
    class: "text",
    action_before: "text",
    action_after: "text?",
    score_before: "real?",
    score_after: "real?",
    reason: "text?",
    decided_at_ms: "int",
  });
}

/** `int` is 64 bits in both engines: it holds milliseconds and counts up to 2⁵³. */
const columnTypes: Readonly<Record<string, ColumnDataType>> = { text: "text", int: "bigint", real: "double precision" };
