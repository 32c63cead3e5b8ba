import { Link } from "@tanstack/react-router";
import type { NeedsYouView } from "../../../src/api/ui-view.ts";
import type { Times } from "../format.ts";
import { buttonLook } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { needsYouSaid } from "../words.ts";
import css from "./needs-you.module.css";

export function NeedsYou({ view, times }: { view: NeedsYouView; times: Times }) {
  const said = needsYouSaid(view, times);
  return (
    <section className={css.line} aria-label={`Incident ${view.incident} needs you`}>
      <Icon name="triangle" size={16} />
      <p>
        <b>{said.lead}</b> {said.finding} <span>{said.people}</span>
      </p>
      <Link to="/incidents/$n" params={{ n: String(view.incident) }} className={buttonLook}>
        Open incident {view.incident}
      </Link>
    </section>
  );
}
