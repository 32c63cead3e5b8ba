/** Databases of a test's own on a PostgreSQL server. */
import { randomBytes } from "node:crypto";
import pg from "pg";

export interface NewDatabase {
  readonly url: string;
  readonly name: string;
  readonly drop: () => Promise<void>;
}

/** @param template - a database that nobody is connected to; an empty one when left out */
export async function newDatabase(server: string, template?: string): Promise<NewDatabase> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  // Files are copied at once; the other way, each page by the log, is for large servers.
  await onServer(server, `create database ${name}${template === undefined ? "" : ` template ${template} strategy file_copy`}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, name, drop: () => onServer(server, `drop database ${name} with (force)`) };
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
