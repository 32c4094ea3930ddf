import { collections } from "./collections.ts";
import { comparison } from "./comparison.ts";
import { contents } from "./contents.ts";
import { count } from "./count.ts";
import { decisions } from "./decisions.ts";
import type { Family } from "./family.ts";
import { givenText } from "./given-text.ts";
import { glossary } from "./glossary.ts";
import { listing } from "./listing.ts";
import { merge } from "./merge.ts";
import { page } from "./page.ts";
import { pages } from "./pages.ts";
import { ranking } from "./ranking.ts";
import { references } from "./references.ts";
import { search } from "./search.ts";
import { summariesOfFiles, summaryOfFile } from "./summaries.ts";
import { tasks } from "./tasks.ts";

/** In the order in which they are asked; the first that matches plans. */
export const families: readonly Family[] = [
  givenText,
  page,
  pages,
  comparison,
  search,
  ranking,
  count,
  collections,
  contents,
  glossary,
  decisions,
  tasks,
  references,
  merge,
  summaryOfFile,
  summariesOfFiles,
  listing,
];
