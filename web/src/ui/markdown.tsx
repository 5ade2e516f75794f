import type { ReactNode } from 'react'
import { memo } from 'react'
import { parseBlocks } from '@/lib/markdown'
import { CodeBlock } from './copy'

const inline = /(`[^`\n]+`)|(\*\*[^*\n]+\*\*)|(\*[^*\s][^*\n]*\*)/g

/** Bold, italics and code. Links stay text: an answer must not be able to send a reader somewhere. */
function Inline({ text }: { text: string }) {
  const parts: ReactNode[] = []
  let last = 0
  for (const match of text.matchAll(inline)) {
    const [whole, code, bold, italic] = match
    parts.push(text.slice(last, match.index))
    if (code) {
      parts.push(
        <code key={match.index} className="rounded bg-hover px-1 py-0.5 font-mono text-[0.9em]">
          {code.slice(1, -1)}
        </code>,
      )
    } else if (bold) parts.push(<strong key={match.index}>{bold.slice(2, -2)}</strong>)
    else if (italic) parts.push(<em key={match.index}>{italic.slice(1, -1)}</em>)
    last = match.index + whole.length
  }
  parts.push(text.slice(last))
  return <>{parts}</>
}

/** The Markdown that models write, as elements; never as HTML. */
export const Markdown = memo(function Markdown({ text }: { text: string }) {
  return (
    <div className="space-y-3 leading-relaxed break-words">
      {parseBlocks(text).map((block, index) => {
        switch (block.kind) {
          case 'code':
            return <CodeBlock key={index} label={block.language || 'code'} code={block.text} />
          case 'heading':
            return (
              <p key={index} className="font-semibold">
                <Inline text={block.text} />
              </p>
            )
          case 'list': {
            const List = block.ordered ? 'ol' : 'ul'
            return (
              <List key={index} className={block.ordered ? 'list-decimal space-y-1 pl-6' : 'list-disc space-y-1 pl-5'}>
                {block.items.map((item, i) => (
                  <li key={i}>
                    <Inline text={item} />
                  </li>
                ))}
              </List>
            )
          }
          default:
            return (
              <p key={index} className="whitespace-pre-wrap">
                <Inline text={block.text} />
              </p>
            )
        }
      })}
    </div>
  )
})
