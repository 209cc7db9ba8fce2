import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Our folder for what can be fetched or made again (XDG Base Directory Specification: a relative XDG_CACHE_HOME is ignored). */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const xdg = env.XDG_CACHE_HOME;
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), '.cache');
  return join(base, 'corbel');
}
