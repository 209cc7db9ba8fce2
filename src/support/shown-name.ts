/** Names that whoever made a file has chosen, for people. */

/** The name without what would move a reader's cursor, cut where it goes on for too long. */
export function shownName(name: string, longest = 64): string {
  const characters = [...name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')];
  return characters.length <= longest ? characters.join('') : `${characters.slice(0, longest - 1).join('')}…`;
}
