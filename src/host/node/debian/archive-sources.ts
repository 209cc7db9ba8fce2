/** Where Debian's packages come from: the host's own package sources for a suite, or a mirror that the user named. */

export interface ArchiveSource {
  readonly uri: string;
  /** The folder in `dists/`: bookworm, bookworm-updates, bookworm-security. */
  readonly suite: string;
  readonly components: readonly string[];
  /** Who signed it, as far as that is known: Debian. */
  readonly origin: string | undefined;
}

/** The output of this is what `parseIndexTargets` reads. A field that apt does not know stays as it is written here. */
export const indexTargetFormat = '$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)';

/** The archives of packages among what `apt-get indextargets` prints (apt's acquire-additional-files documentation). */
export function parseIndexTargets(lines: readonly string[]): ArchiveSource[] {
  const found = new Map<string, { source: ArchiveSource; components: string[] }>();
  for (const line of lines) {
    const [createdBy, uri, suite, component, ...origin] = line.split(' ');
    if (createdBy !== 'Packages' || uri === undefined || suite === undefined || component === undefined) continue;
    const key = `${uri} ${suite}`;
    const components = found.get(key)?.components ?? [];
    if (!components.includes(component)) components.push(component);
    const known = origin.join(' ');
    const source = { uri, suite, components, origin: known.startsWith('$') || known === '' ? undefined : known };
    found.set(key, { source, components });
  }
  return [...found.values()].map(({ source }) => source);
}

/** Those of `sources` that make up Debian's `suite` with its updates; an origin that is not known yet may be right. */
export function sourcesOfSuite(sources: readonly ArchiveSource[], suite: string): ArchiveSource[] {
  const names = [suite, `${suite}-updates`, `${suite}-security`, `${suite}/updates`];
  return sources.filter(
    (source) => names.includes(source.suite) && (source.origin === undefined || source.origin === 'Debian'),
  );
}

export function mirrorSource(uri: string, suite: string): ArchiveSource {
  return { uri, suite, components: ['main'], origin: undefined };
}

/** The lines of a sources.list(5). @param keyring the file of the keys that the archives must be signed with */
export function formatSources(sources: readonly ArchiveSource[], keyring?: string): string {
  const options = keyring === undefined ? '' : `[signed-by=${keyring}] `;
  return sources
    .map(({ uri, suite, components }) => `deb ${options}${uri} ${suite} ${components.join(' ')}\n`)
    .join('');
}

/** The same sources as anybody may know them: without the name and the password that a URI can carry. */
export function withoutCredentials(sources: readonly ArchiveSource[]): ArchiveSource[] {
  return sources.map((source) => ({ ...source, uri: source.uri.replace(/^([a-z0-9+.-]+:\/\/)[^/@]*@/i, '$1') }));
}
