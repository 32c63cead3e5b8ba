/** The shapes that the dashboard's panels have in common. */
import type { Builder, Dataquery } from "@grafana/grafana-foundation-sdk/cog";
import {
  GraphDrawStyle,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
  GraphThresholdsStyleConfigBuilder,
  StackingConfigBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import { ThresholdsConfigBuilder, ThresholdsMode, type Threshold } from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";

/** Every panel asks the one that is chosen above: no fixed one, so that the dashboard can be imported anywhere. */
export const DATASOURCE = { type: "prometheus", uid: "${datasource}" };

/** A query, and what its series are called. */
export interface Query {
  readonly expr: string;
  /** `{{label}}`s. */
  readonly legend: string;
}

export interface PanelText {
  readonly title: string;
  /** What it shows, and what to make of it. */
  readonly about: string;
  readonly queries: readonly Query[];
  /** Of Grafana: `reqps`, `s`, `percentunit`, `short`, `bytes`. */
  readonly unit: string;
  /** Of 24. */
  readonly width?: number;
}

const HEIGHT = 8;

export function timeseries({ title, about, queries, unit, width = 12 }: PanelText): TimeseriesBuilder {
  return new TimeseriesBuilder()
    .title(title)
    .description(about)
    .datasource(DATASOURCE)
    .targets(targets(queries, false))
    .unit(unit)
    .min(0)
    .span(width)
    .height(HEIGHT)
    .legend(new VizLegendOptionsBuilder().showLegend(true).displayMode(LegendDisplayMode.List))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi));
}

export const stacked = (panel: TimeseriesBuilder): TimeseriesBuilder =>
  panel.fillOpacity(30).stacking(new StackingConfigBuilder().mode(StackingMode.Normal));

/** Points and steps rather than lines: what is counted in whole numbers, or is only yes or no. */
export const bars = (panel: TimeseriesBuilder): TimeseriesBuilder => panel.drawStyle(GraphDrawStyle.Bars).fillOpacity(60);

/** Lines across a panel, each from its value on in its colour. */
export const limits = (panel: TimeseriesBuilder, steps: readonly Threshold[]): TimeseriesBuilder =>
  panel
    .thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([...steps]))
    .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));

/** One number of now. @param steps - colours by its value */
export function stat({ title, about, queries, unit, width = 4 }: PanelText, steps: readonly Threshold[]): StatBuilder {
  return new StatBuilder()
    .title(title)
    .description(about)
    .datasource(DATASOURCE)
    .targets(targets(queries, true))
    .unit(unit)
    .span(width)
    .height(4)
    .noValue("no data")
    .thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([...steps]));
}

/** Green, and red from a value on. */
export const redFrom = (value: number): readonly Threshold[] => [
  { value: null, color: "green" },
  { value, color: "red" },
];

function targets(queries: readonly Query[], isNow: boolean): Builder<Dataquery>[] {
  return queries.map(({ expr, legend }, i) => {
    const query = new DataqueryBuilder()
      .refId(String.fromCharCode(65 + i))
      .datasource(DATASOURCE)
      .expr(expr)
      .legendFormat(legend);
    return isNow ? query.instant() : query.range();
  });
}
