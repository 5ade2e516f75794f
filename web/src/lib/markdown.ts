export type Block =
  | { kind: 'paragraph'; text: string }
  | { kind: 'heading'; text: string }
  | { kind: 'code'; language: string; text: string }
  | { kind: 'list'; ordered: boolean; items: string[] }

const fence = /^\s*```\s*(\S*)/
const heading = /^#{1,6}\s+(.*)/
const bullet = /^\s*(?:[-*+]|(\d+)[.)])\s+(.*)/

/**
 * Cuts Markdown into blocks: fenced code, headings, flat lists, paragraphs. A
 * fence that is still open (an answer that is still coming) is code already.
 */
export function parseBlocks(text: string): Block[] {
  const blocks: Block[] = []
  const lines = text.split('\n')
  let paragraph: string[] = []
  const flush = () => {
    if (paragraph.length) blocks.push({ kind: 'paragraph', text: paragraph.join('\n') })
    paragraph = []
  }
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? ''
    const opened = fence.exec(line)
    if (opened) {
      flush()
      const code: string[] = []
      while (++i < lines.length && !fence.test(lines[i] ?? '')) code.push(lines[i] ?? '')
      blocks.push({ kind: 'code', language: opened[1] ?? '', text: code.join('\n') })
      continue
    }
    const title = heading.exec(line)
    const item = bullet.exec(line)
    if (title) {
      flush()
      blocks.push({ kind: 'heading', text: title[1] ?? '' })
    } else if (item) {
      flush()
      addItem(blocks, item[1] !== undefined, item[2] ?? '')
    } else if (line.trim() === '') flush()
    else paragraph.push(line)
  }
  flush()
  return blocks
}

function addItem(blocks: Block[], ordered: boolean, item: string): void {
  const last = blocks.at(-1)
  if (last?.kind === 'list' && last.ordered === ordered) last.items.push(item)
  else blocks.push({ kind: 'list', ordered, items: [item] })
}
