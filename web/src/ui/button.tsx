import type { ButtonHTMLAttributes } from "react";
import css from "./button.module.css";

/** `quiet`: without a border, for what is rarely wanted. */
export function Button({
  look = "plain",
  type = "button",
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { look?: "plain" | "primary" | "quiet" }) {
  return <button type={type} {...rest} className={`${css.button} ${css[look]}`} />;
}

/** For links that look like buttons. */
export const buttonLook = `${css.button} ${css.plain}`;
