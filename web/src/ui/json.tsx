import { memo } from 'react'
import { CopyButton } from './copy'

/** More than this is shown without colours: thousands of spans would freeze the page. */
const colourLimit = 60_000

const token = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

function coloured(text: string) {
  const parts: React.ReactNode[] = []
  let last = 0
  for (const match of text.matchAll(token)) {
    const [whole, string, colon] = match
    parts.push(text.slice(last, match.index))
    const look = string ? (colon ? 'text-accent' : 'text-good') : 'text-warn'
    parts.push(
      <span key={match.index} className={look}>
        {string ?? whole}
      </span>,
      colon ?? '',
    )
    last = match.index + whole.length
  }
  parts.push(text.slice(last))
  return parts
}

/** Any value as indented JSON, coloured, to be copied. */
export const JsonView = memo(function JsonView({ value, label }: { value: unknown; label: string }) {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
  return (
    <div className="relative overflow-hidden rounded-lg border border-line bg-sunken">
      <pre
        role="region"
        aria-label={label}
        tabIndex={0}
        className="max-h-[28rem] overflow-auto p-3.5 pr-11 font-mono text-[12.5px] leading-relaxed break-words whitespace-pre-wrap text-ink-2"
      >
        {text.length > colourLimit ? text : coloured(text)}
      </pre>
      <CopyButton text={text} label={`Copy ${label}`} className="absolute top-2 right-2 bg-sunken" />
    </div>
  )
})
