import { Link } from "@tanstack/react-router";
import { Notice } from "../ui/notice.tsx";
import css from "./lost.module.css";

export function NoSuchPage() {
  return (
    <div className={css.lost}>
      <title>No such page · Evenkeel</title>
      <h1>There is no such page</h1>
      <p>
        The address may be mistyped. <Link to="/">All endpoints</Link>
      </p>
    </div>
  );
}

/** The program is wrong: says so, instead of showing half a page. */
export function BrokenPage({ error }: { error: unknown }) {
  return (
    <div className={css.lost}>
      <title>Evenkeel</title>
      <h1>This page is broken</h1>
      <Notice tone="breach">
        <b>An error in Evenkeel's page, not in your data.</b> {error instanceof Error ? error.message : String(error)}
      </Notice>
      <p>
        Reload the page; the command line (<code>evenkeel status</code>) shows the same.
      </p>
    </div>
  );
}
