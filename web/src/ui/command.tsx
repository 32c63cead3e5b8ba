import { Fragment, useState } from "react";
import { Button } from "./button.tsx";
import css from "./command.module.css";
import { Icon } from "./icon.tsx";

/** A command to copy. Where the browser has no clipboard (plain HTTP), there is only the text, which selects as a whole. */
export function Command({ children }: { children: string }) {
  return (
    <div className={css.command}>
      <code>
        {children.split(" ").map((word, i) => (
          // A line may break between words only: `--as` is one. Words of a command don't move.
          <Fragment key={i}>
            {i > 0 && " "}
            <span className={css.word}>{word}</span>
          </Fragment>
        ))}
      </code>
      {canCopy && <CopyButton text={children} label="Copy" />}
    </div>
  );
}

/** The text of a file to save. */
export function FileText({ name, children }: { name: string; children: string }) {
  return (
    <figure className={css.file}>
      <figcaption>
        <code>{name}</code>
        {canCopy && <CopyButton text={children} label="Copy" />}
      </figcaption>
      <pre>
        <code>{children}</code>
      </pre>
    </figure>
  );
}

/** The page as a command, for a terminal or a script. */
export function CopyAsCommand({ command }: { command: string }) {
  return canCopy ? <CopyButton text={command} label="Copy as command" title={command} /> : <code>{command}</code>;
}

const canCopy = "clipboard" in navigator;

function CopyButton({ text, label, title }: { text: string; label: string; title?: string }) {
  const [copied, setCopied] = useState<"no" | "yes" | "failed">("no");
  const said = { no: label, yes: "Copied", failed: "Not allowed to copy" }[copied];
  return (
    <Button
      look="quiet"
      title={title}
      onClick={() => {
        navigator.clipboard.writeText(text).then(
          () => setCopied("yes"),
          () => setCopied("failed"),
        );
      }}
      onBlur={() => setCopied("no")}
    >
      <Icon name="copy" />
      <span aria-live="polite">{said}</span>
    </Button>
  );
}
