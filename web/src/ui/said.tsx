import type { ReactNode } from "react";
import { capital, type Said } from "../words.ts";
import css from "./said.module.css";
import { Icon } from "./icon.tsx";

/** A state: shape, colour and word together. `pill` beside a title. */
export function StateWord({ said: { tone, icon, word }, pill = false }: { said: Said; pill?: boolean }) {
  return (
    <span className={`${css.state} ${css[tone]} ${pill ? css.pill : ""}`}>
      <Icon name={icon} />
      {pill ? capital(word) : word}
    </span>
  );
}

/** A release in a role, in the role's colour and shape. */
export function ReleaseRole({ as, children }: { as: "live" | "canary" | "shadow" | "fallback" | "condemned"; children: ReactNode }) {
  return (
    <span className={`${css.role} ${css[as]}`}>
      <Icon name={as} />
      {children}
    </span>
  );
}
