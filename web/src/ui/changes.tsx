import { clsx } from 'clsx'
import type { Change } from '@/lib/api/history'
import { readablePath, shortValue } from '@/lib/pointer'

const marks = { add: '+', remove: '−', replace: '~' }
const words = { add: 'added', remove: 'removed', replace: 'changed' }
const colours = { add: 'text-good', remove: 'text-bad', replace: 'text-warn' }

function Value({ sign, value, className }: { sign: string; value: unknown; className: string }) {
  return (
    <p className={clsx('flex gap-2 rounded px-2 py-0.5 font-mono text-[12.5px]', className)}>
      <span aria-hidden className="select-none">
        {sign}
      </span>
      <span className="line-clamp-6 min-w-0 break-words whitespace-pre-wrap">{shortValue(value)}</span>
    </p>
  )
}

/** What changed, line by line: what went in red, what came in green. */
export function Changes({ changes }: { changes: Change[] }) {
  if (changes.length === 0) return <p className="text-ink-3">Nothing that can be seen changed.</p>
  return (
    <ul aria-label="Changes" className="space-y-2.5">
      {changes.map((change, index) => (
        <li key={`${change.path} ${index}`} className="space-y-1">
          <p className="font-mono text-[13px] font-medium break-all">
            <span aria-hidden className={clsx('mr-1.5', colours[change.op])}>
              {marks[change.op]}
            </span>
            {readablePath(change.path)}
            <span className="sr-only"> {words[change.op]}</span>
          </p>
          {change.before !== undefined && <Value sign="−" value={change.before} className="bg-bad-soft text-bad" />}
          {change.after !== undefined && <Value sign="+" value={change.after} className="bg-good-soft text-good" />}
        </li>
      ))}
    </ul>
  )
}
