export { FeatureSetSpec, FeatureSpec, NamePattern } from "./feature-set-spec.ts";
