import type { ReactNode } from "react";
import css from "./incident.module.css";

export function Part({ number, id, title, children }: { number: number; id: string; title: string; children: ReactNode }) {
  return (
    <section className={css.part} aria-labelledby={id}>
      <h2 id={id}>
        <i aria-hidden="true">{number}</i>
        {title}
      </h2>
      <div className={css.body}>{children}</div>
    </section>
  );
}

/** A wide table: scrolls inside its region where the page is narrow, also by keyboard. */
export function Wide({ label, children }: { label: string; children: ReactNode }) {
  return (
    // A region that scrolls must be reachable by keyboard.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <section className={css.wide} aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
