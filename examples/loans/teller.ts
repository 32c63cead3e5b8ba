/** How the demo talks to whoever watches: chapters, facts, and a line that moves while something takes its time. */
import { styleText } from "node:util";

export interface Teller {
  /** A new chapter of the story. */
  chapter(title: string): void;
  /** Something that happened. */
  fact(text: string): void;
  /** Something that somebody should look at. */
  alarm(text: string): void;
  /** What is going on right now; overwritten by the next line. */
  progress(text: string): void;
}

/** To standard error, so that `--json` has standard output for itself. */
export function teller(out: NodeJS.WriteStream): Teller {
  const isTerminal = out.isTTY;
  const colour = (style: Parameters<typeof styleText>[0], text: string) =>
    isTerminal ? styleText(style, text, { validateStream: false }) : text;
  const startedMs = performance.now();
  let hasProgress = false;
  let chapters = 0;
  const line = (text: string) => {
    out.write(`${hasProgress ? "\r\u001b[2K" : ""}${text}\n`);
    hasProgress = false;
  };
  return {
    chapter(title) {
      const seconds = `${((performance.now() - startedMs) / 1000).toFixed(1)} s`;
      line(`\n${colour("bold", `${++chapters}. ${title}`)}  ${colour("dim", seconds)}`);
    },
    fact: (text) => line(`   ${text}`),
    alarm: (text) => line(`   ${colour("yellow", text)}`),
    progress(text) {
      if (!isTerminal) return;
      out.write(`\r\u001b[2K   ${colour("dim", text)}`);
      hasProgress = true;
    },
  };
}
