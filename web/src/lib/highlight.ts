export interface Part {
  text: string
  hit: boolean
}

/** Words of a query that say something: short ones stand everywhere. */
function wordsOf(query: string): string[] {
  const words = query.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  const telling = words.filter((word) => word.length > 2)
  return [...new Set(telling.length ? telling : words)]
}

/** Cuts a text where words begin as those of the query do: "refund" is found in "Refunds", not in "prefund". */
export function highlight(text: string, query: string): Part[] {
  const words = wordsOf(query)
  const parts: Part[] = []
  let plain = ''
  const flush = () => {
    if (plain) parts.push({ text: plain, hit: false })
    plain = ''
  }
  for (const piece of text.split(/([\p{L}\p{N}]+)/u)) {
    const low = piece.toLowerCase()
    const hit = words.find((word) => low === word || (low.startsWith(word) && word.length > 2))
    if (!hit) {
      plain += piece
      continue
    }
    flush()
    parts.push({ text: piece, hit: true })
  }
  flush()
  return parts
}
