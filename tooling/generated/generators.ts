/**
 * What is generated in this repository.
 *
 * Boundary: the list only; each generator stands in a file of its own beside this one, and is added here.
 */
import type { Generator } from "./generation.ts";
import { lifecyclePages, stepPage, taskPage } from "./lifecycle-pages.ts";
import { schemaDump } from "./schema-dump.ts";

export const generators: readonly Generator[] = [lifecyclePages(taskPage, stepPage), schemaDump];
