export { FeatureSetSpec, FeatureSpec } from "./feature-set-spec.ts";
