/**
 * The folder in which the command line works.
 *
 * 1. Settings, tools and data belong to the project: the working folder.
 * 2. Folders that a person names are relative to where that person stands (INIT_CWD when npm started us).
 */
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { loadConfig } from "@baton/config";
import type { Config } from "@baton/config";
import { CommandFailure, exits } from "../failure.ts";

export interface Project {
  readonly folder: string;
  readonly config: Config;
  /** The tools folder that workers load, if there is one. */
  readonly toolsFolder: string | undefined;
  /** The agents folder that the api reads, if there is one. */
  readonly agentsFolder: string | undefined;
}

export function callersPath(path: string): string {
  return resolve(process.env["INIT_CWD"] ?? process.cwd(), path);
}

export function callersFolder(path: string, option: string): string {
  const folder = callersPath(path);
  if (existsSync(folder) && statSync(folder).isDirectory()) return folder;
  throw new CommandFailure(exits.noInput, `${option}: ${folder} is not a folder. Name one that exists.`);
}

/** Throws `invalid-configuration` with every problem at once. */
export function openProject(toolsOption?: string): Project {
  const folder = process.cwd();
  const { config } = loadConfig({ folder, env: process.env });
  const agents = config.api.agentsFolder;
  return {
    folder,
    config,
    toolsFolder: toolsFolder(folder, config, toolsOption),
    agentsFolder: agents === undefined ? existing(join(folder, "agents")) : resolve(folder, agents),
  };
}

function toolsFolder(folder: string, config: Config, option: string | undefined): string | undefined {
  if (option !== undefined) return callersFolder(option, "--tools");
  if (config.worker.toolsFolder !== undefined) return resolve(folder, config.worker.toolsFolder);
  return existing(join(folder, "tools"));
}

const existing = (folder: string): string | undefined => (existsSync(folder) ? folder : undefined);
