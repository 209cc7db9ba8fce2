import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatSources,
  mirrorSource,
  parseIndexTargets,
  sourcesOfSuite,
  withoutCredentials,
} from './archive-sources.ts';

const lines = [
  'Packages http://archive.example/debian/ bookworm main Debian',
  'Packages http://archive.example/debian/ bookworm contrib Debian',
  'Packages http://archive.example/debian/ bookworm-updates main $(ORIGIN)',
  'Packages http://user:secret@security.example/ bookworm-security main Debian',
  'Packages http://archive.example/debian/ bookworm-backports main Debian Backports',
  'Packages http://tools.example/ bookworm main Some Tools',
  'Sources http://archive.example/debian/ bookworm main Debian',
  'a line of a warning',
];

test('the sources of a suite are those of Debian with their updates, once each', () => {
  const sources = sourcesOfSuite(parseIndexTargets(lines), 'bookworm');
  assert.equal(
    formatSources(sources),
    'deb http://archive.example/debian/ bookworm main contrib\n' +
      'deb http://archive.example/debian/ bookworm-updates main\n' +
      'deb http://user:secret@security.example/ bookworm-security main\n',
  );
  assert.deepEqual(sourcesOfSuite(parseIndexTargets(lines), 'trixie'), []);
});

test('what others may read holds no password', () => {
  const sources = sourcesOfSuite(parseIndexTargets(lines), 'bookworm');
  const open = formatSources(
    withoutCredentials([...sources, mirrorSource('https://token@m.example/a@b/', 'bookworm')]),
  );
  assert.doesNotMatch(open, /secret|token/);
  assert.match(open, /^deb http:\/\/security.example\/ bookworm-security main$/m);
  assert.match(open, /^deb https:\/\/m.example\/a@b\/ bookworm main$/m);
});

test('a keyring stands before the address', () => {
  const text = formatSources([mirrorSource('file:/srv/debian', 'trixie')], '/usr/share/keyrings/k.gpg');
  assert.equal(text, 'deb [signed-by=/usr/share/keyrings/k.gpg] file:/srv/debian trixie main\n');
});
