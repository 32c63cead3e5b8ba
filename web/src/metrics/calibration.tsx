import { count } from "../format.ts";
import css from "./metrics.module.css";
import { ratioSaid, whySaid, type Answer } from "./words.ts";

const SIZE = 220;
const PAD = 26;

/** What scores promise against what came of it, band by band; bands of fewer than 30 are pale. */
export function Calibration({ answers, minimum }: { answers: readonly Answer[]; minimum: number }) {
  const of = (metric: string) => answers.find((one) => one.metric === metric && one.group !== null && Object.keys(one.group).length === 0);
  const error = of("expected_calibration_error");
  const auc = of("roc_auc_score")?.value ?? null;
  if (!error) return null;
  const bands = (error.bands ?? []).filter(({ n }) => n > 0);
  return (
    <section>
      <div className={css.section}>
        <h2>Calibration</h2>
        <span>
          {error.value === null ? whySaid(error, minimum) : `off by ${ratioSaid(error.value)} on average`}
          {error.labels === "approved_only" && error.value !== null && ", among those with a favourable answer"}
          {auc !== null && `; area under the curve ${ratioSaid(auc)}`}
        </span>
      </div>
      {bands.length > 0 && (
        <svg width={SIZE + PAD} height={SIZE + PAD} role="img" aria-label={bands.map(bandSaid).join("; ")}>
          <rect x={PAD} y="1" width={SIZE - 1} height={SIZE - 1} fill="none" stroke="var(--line-strong)" />
          <line x1={PAD} y1={SIZE} x2={PAD + SIZE} y2="0" stroke="var(--line-strong)" strokeDasharray="3 2" />
          {bands.map((band) => {
            const [x, y] = [PAD + (band.mean_score ?? 0) * SIZE, SIZE - (band.good_rate ?? 0) * SIZE];
            return (
              <g key={band.low} opacity={band.small ? 0.35 : 1} stroke="var(--mark)" fill="var(--mark)">
                <title>{bandSaid(band)}</title>
                {band.interval && <line x1={x} x2={x} y1={SIZE - band.interval.low * SIZE} y2={SIZE - band.interval.high * SIZE} />}
                <circle cx={x} cy={y} r="3.5" />
              </g>
            );
          })}
          <text x={PAD + SIZE / 2} y={SIZE + 18} textAnchor="middle" fontSize="12" fill="var(--text-3)">
            mean score
          </text>
          <text x="12" y={SIZE / 2} textAnchor="middle" fontSize="12" fill="var(--text-3)" transform={`rotate(-90 12 ${SIZE / 2})`}>
            turned out well
          </text>
        </svg>
      )}
    </section>
  );
}

const bandSaid = ({ low, high, n, mean_score, good_rate }: NonNullable<Answer["bands"]>[number]): string =>
  `score ${low} to ${high}: ${count(n)} people, promised ${ratioSaid(mean_score)}, came out ${ratioSaid(good_rate)}`;
